"""Which post a task instance was given, by the rows that Airflow has of its run."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from reelflow_provider.web.given_post import FINDERS, given_post_id
from tests.unit.reelflow_provider.airflow_run import AirflowRun, airflow_run

NAMES = {1: "aster.mp4", 2: "basil.mp4", 3: "clover.mp4", 4: "basil.mp4"}
TASK = "publish_post.upload_to_tiktok"


@pytest.fixture
def run() -> Iterator[AirflowRun]:
    with airflow_run("publish_to_tiktok", "find_new_uploads") as one:
        yield one


def given(ti_key: TaskInstanceKey) -> int | None:
    def names_of(post_ids: Collection[int]) -> dict[int, str]:
        return {post_id: NAMES[post_id] for post_id in post_ids}

    return given_post_id(ti_key, names_of=names_of)


@pytest.mark.parametrize(("dag_id", "finder"), sorted(FINDERS.items()))
def test_it_is_the_one_at_its_place_of_what_was_found_however_old_the_run_is(
    dag_id: str, finder: str
) -> None:
    with airflow_run(dag_id, finder) as run:
        run.find(3, 1, 2)
        assert [given(run.work(TASK, place)) for place in range(3)] == [3, 1, 2]


def test_so_it_is_before_the_task_begins_and_in_each_of_its_tries(run: AirflowRun) -> None:
    run.find(3, 1, 2)
    assert given(run.expand(TASK, 1)) == 1
    tries = [run.work(TASK, 1), run.work(TASK, 1, label="aster.mp4")]
    assert [given(one) for one in tries] == [1, 1]


def test_of_what_was_not_found_there_is_none(run: AirflowRun) -> None:
    assert given(run.work(TASK, 0)) is None
    run.find(3, 1, 2)
    assert given(run.work(TASK, 3)) is None
    assert given(run.work(TASK, -1)) is None


def test_a_run_that_is_cleared_and_finds_the_same_leads_to_the_same(run: AirflowRun) -> None:
    run.find(3, 1, 2)
    first = run.work(TASK, 0, label="clover.mp4")
    run.find(3, 1, 2)
    assert given(first) == 3
    assert given(run.work(TASK, 0, label="clover.mp4")) == 3
    assert given(run.expand(TASK, 1)) == 1


def test_each_try_of_a_cleared_backfill_leads_to_the_post_that_it_had(run: AirflowRun) -> None:
    run.find(1, 3)
    first = run.work(TASK, 0, label="aster.mp4")
    run.find(3, 2, 1)  # the first was rejected, and another was wished for its days
    assert given(first) == 1
    second = run.work(TASK, 0, label="clover.mp4")
    assert [given(first), given(second)] == [1, 3]


def test_so_does_one_that_was_not_cleared_with_what_finds_posts(run: AirflowRun) -> None:
    run.find(2, 4, 3)
    rendered = run.work(TASK, 0, label="basil.mp4", post_id=2)
    named = run.work(TASK, 2, label="clover.mp4")
    run.find(4, 3, 2)
    assert [given(rendered), given(named)] == [2, 3]


def test_of_namesakes_in_other_places_none_is_taken_for_another(run: AirflowRun) -> None:
    run.find(2, 4)
    first = run.work(TASK, 0, label="basil.mp4", post_id=2)
    run.find(4, 2)
    second = run.work(TASK, 0, label="basil.mp4")
    assert [given(first), given(second)] == [None, 4]


def test_while_a_run_finds_anew_it_is_what_was_rendered(run: AirflowRun) -> None:
    run.find(3, 1, 2)
    kept = run.work(TASK, 0, label="clover.mp4", post_id=3)
    dropped = run.work(TASK, 1, label="aster.mp4")
    run.begin_to_find()
    assert [given(kept), given(dropped)] == [3, None]


@pytest.mark.parametrize("map_index", [-1, 0])
def test_of_a_dag_of_somebody_s_own_it_is_what_was_rendered(map_index: int) -> None:
    with airflow_run("their_own", "find_new_uploads") as run:
        run.find(3, 1, 2)
        assert given(run.work("upload", map_index, post_id=2)) == 2
        assert given(run.work("upload", map_index, post_id="{{ a template }}")) is None


def test_what_a_store_of_somebody_s_own_keeps_elsewhere_is_no_list_of_posts(
    run: AirflowRun,
) -> None:
    run.find(3, 1, 2, kept="s3://xcoms/run-7/1.json")
    assert given(run.work(TASK, 0)) is None
    assert given(run.work(TASK, 1, post_id=1)) == 1
