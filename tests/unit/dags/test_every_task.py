"""What whoever looks at Airflow's pages finds on every task of every DAG."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from reelflow_provider.links import POST_LINKS
from reelflow_provider.operators.base import PostMixin
from reelflow_provider.web.given_post import FINDERS

LINKS = {link.name for link in POST_LINKS}


@pytest.fixture(scope="module")
def tasks(bag: DagBag) -> list[Any]:
    assert bag.import_errors == {}
    return [task for dag in bag.dags.values() for task in dag.tasks]


@pytest.fixture(scope="module")
def shown(bag: DagBag) -> list[Any]:
    """The tasks as Airflow's API server has them."""
    dags = (
        DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        for dag in bag.dags.values()
    )
    return [task for dag in dags for task in dag.tasks]


def test_it_tells_what_it_does_and_what_to_do_when_it_is_red(
    tasks: list[Any], shown: list[Any]
) -> None:
    for task in (*tasks, *shown):
        for question in ("**What.**", "**Safe to clear.**", "**When it is red.**"):
            assert question in (task.doc_md or ""), (task.dag_id, task.task_id, question)


def test_a_mapped_one_has_a_label(tasks: list[Any]) -> None:
    mapped = [task for task in tasks if task.is_mapped or task.get_closest_mapped_task_group()]
    assert len(mapped) >= 9
    unlabelled = [(task.dag_id, task.task_id) for task in mapped if not task.map_index_template]
    assert unlabelled == []


def test_those_of_a_post_have_its_links_and_no_other_has(
    tasks: list[Any], shown: list[Any]
) -> None:
    of_posts = {
        (task.dag_id, task.task_id) for task in tasks if issubclass(_class_of(task), PostMixin)
    }
    assert len(of_posts) >= 9
    assert {(task.dag_id, task.task_id) for task in shown if task.extra_links} == of_posts
    assert all(set(task.extra_links) == LINKS for task in shown if task.extra_links)


def test_those_that_are_mapped_lead_to_the_posts_that_their_dag_found(shown: list[Any]) -> None:
    mapped_over = {}
    for task in (task for task in shown if set(task.extra_links) == LINKS):
        mapped = task if task.is_mapped else task.get_closest_mapped_task_group()
        (finder,) = mapped.iter_mapped_dependencies()
        assert mapped_over.setdefault(task.dag_id, finder.task_id) == finder.task_id
    assert mapped_over == FINDERS


def test_no_task_makes_links_itself(tasks: list[Any]) -> None:
    # Each would be a call of the API for each task, also where there is nothing to link to.
    assert not [task.task_id for task in tasks if _links_made_by(task)]


def _class_of(task: Any) -> type:
    return task.operator_class if task.is_mapped else type(task)  # type: ignore[no-any-return]


def _links_made_by(task: Any) -> list[str]:
    return [link.name for link in task.operator_extra_links if link.name in LINKS]


@pytest.mark.parametrize("word", ["token", "secret", "password", "url", "key"])
def test_no_field_that_airflow_renders_is_named_like_a_credential(
    word: str, tasks: list[Any]
) -> None:
    fields = {field for task in tasks for field in task.template_fields}
    assert {"post_id", "tiktok_conn_id"} <= fields
    assert not {field for field in fields if word in field}
