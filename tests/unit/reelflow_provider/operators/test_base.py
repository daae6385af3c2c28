"""What all operators of a post share: their label, who acts, and which errors skip."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout
from airflow.sdk.execution_time import comms

from reelflow.domain.analysis import AnalysisPolicy
from reelflow.domain.post import PostKind, PostState
from reelflow.exceptions import (
    BreakerOpenError,
    BudgetSpentError,
    ConfigurationError,
    MediaRejectedError,
    MediaToolError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
    ReelflowError,
    TransientError,
)
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Media
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.base import PostOperator, post_kept_or_skipped
from reelflow_provider.operators.media import ExtractMetadataOperator, ValidateMediaOperator
from tests import factories
from tests.data_folder import data_folder
from tests.unit.reelflow_provider.airflow_task import RUN_ID, Ended, run_task

#: A task on one post, and the context it runs in.
Task = tuple[PostOperator, Any]


@pytest.fixture
def task(worker: Workspace, account: Account) -> Task:
    post = factories.make_post(worker, account)
    ti = SimpleNamespace(dag_id="tests", run_id=RUN_ID, task_id="task", map_index=0)
    return PostOperator(task_id="task", post_id=post.id), {"ti": ti}


def test_a_task_is_shown_under_its_file_name(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, file_name="spring garden.mp4")
    ended = run_task(ExtractMetadataOperator, post_id=post.id)
    assert ended.message.rendered_map_index == "spring garden.mp4"


def named_before_its_end(ended: Ended) -> list[str]:
    """Return what a task told Airflow to show it under while it ran, by calls of their own."""
    told = [one for one in ended.sent if isinstance(one, comms.SetRenderedMapIndex)]
    return [one.rendered_map_index for one in told]


@pytest.mark.parametrize(
    ("size_bytes", "policy"), [(8_000_001, "ignore"), (1, "label")], ids=["large", "analysed"]
)
def test_a_task_that_may_take_long_calls_airflow_to_be_named_before_its_end(
    size_bytes: int, policy: str, worker: Workspace, account: Account
) -> None:
    post = factories.make_post(worker, account, content=b"no video", file_name="garden.mp4")
    with worker.ledger.write() as session:
        session.get_one(Media, post.media_id).size_bytes = size_bytes
        session.get_one(Account, account.id).analysis_policy = AnalysisPolicy(policy)
    assert named_before_its_end(run_task(ValidateMediaOperator, post_id=post.id)) == ["garden.mp4"]
    assert named_before_its_end(run_task(ExtractMetadataOperator, post_id=post.id)) == []


def test_a_task_on_a_small_file_is_named_with_its_end(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, content=b"no video", file_name="garden.mp4")
    ended = run_task(ValidateMediaOperator, post_id=post.id)
    assert named_before_its_end(ended) == []
    assert ended.message.rendered_map_index == "garden.mp4"


@pytest.mark.parametrize("operator", [ValidateMediaOperator, ExtractMetadataOperator])
def test_a_try_after_the_first_calls_airflow_to_be_named_before_its_end(
    operator: type[PostOperator], worker: Workspace, account: Account
) -> None:
    """Until then Airflow shows no name, or the one from before the run was cleared."""
    post = factories.make_post(worker, account, content=b"no video", file_name="garden.mp4")
    ended = run_task(operator, post_id=post.id, try_number=2)
    assert named_before_its_end(ended) == ["garden.mp4"]


def test_a_task_on_photos_calls_airflow_to_be_named_before_its_end(
    worker: Workspace, account: Account
) -> None:
    """How much there is to read the first of them does not tell."""
    photos = factories.make_post(worker, account, kind=PostKind.PHOTO, file_name="trip/1.jpg")
    assert named_before_its_end(run_task(ValidateMediaOperator, post_id=photos.id)) == ["trip"]


def test_a_brief_task_that_fails_is_named_with_its_end(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, state=PostState.REJECTED, file_name="garden.mp4")
    ended = run_task(ExtractMetadataOperator, post_id=post.id)
    assert (ended.state, ended.message.rendered_map_index) == ("failed", "garden.mp4")


def test_a_template_of_the_dag_s_author_wins() -> None:
    operator = PostOperator(task_id="task", post_id=1, map_index_template="{{ task.post_id }}")
    assert operator.map_index_template == "{{ task.post_id }}"


def test_the_ledger_names_the_task_instance_that_acted(worker: Workspace, account: Account) -> None:
    post = factories.make_post(worker, account, content=b"no video", validated=False)
    run_task(ValidateMediaOperator, post_id=post.id, map_index=3)
    with worker.ledger.read() as session:
        last = audit.story(session, post.id)[-1]
    assert (last.to_state, last.actor) == ("REJECTED", f"tests/{RUN_ID}/task[3]")


@pytest.mark.parametrize("error", [PostNotTakeableError("taken"), PostHeldError("held")])
def test_what_is_not_for_this_run_skips_with_the_reason(error: Exception, task: Task) -> None:
    with pytest.raises(AirflowSkipException, match=str(error)), post_kept_or_skipped(*task):
        raise error


@pytest.mark.parametrize(
    "error", [MediaToolError("ffmpeg was killed"), ConfigurationError("ffmpeg is missing")]
)
def test_what_keeps_a_stage_from_working_is_recorded_for_a_later_run_and_raised(
    error: ReelflowError, task: Task, worker: Workspace
) -> None:
    with pytest.raises(type(error), match=str(error)), post_kept_or_skipped(*task):
        raise error
    post = factories.read_post(worker, task[0].post_id)
    assert (post.state, post.reason) == (PostState.READY, str(error))
    assert post.due_at > worker.ledger.now()


@pytest.mark.parametrize("error_class", [BudgetSpentError, BreakerOpenError])
def test_what_waits_longer_than_a_task_does_skips_with_the_reason(
    error_class: type[TransientError], task: Task
) -> None:
    later = error_class("6 inits a minute are used", retry_after_s=301)
    with (
        pytest.raises(AirflowSkipException, match="goes out later: 6 inits a minute are used"),
        post_kept_or_skipped(*task),
    ):
        raise later
    soon = error_class("6 inits a minute are used", retry_after_s=300)
    with pytest.raises(error_class), post_kept_or_skipped(*task):
        raise soon  # by the retry policy


def test_a_task_that_runs_out_of_time_leaves_its_reason_and_keeps_the_post_from_the_next_run(
    worker: Workspace, account: Account
) -> None:
    class SlowOperator(PostOperator):
        def execute(self, context: Any) -> None:
            with post_kept_or_skipped(self, context):
                threading.Event().wait(30)

    post = factories.make_post(worker, account)
    ended = run_task(SlowOperator, post_id=post.id, execution_timeout=timedelta(milliseconds=50))
    assert ended.state == "up_for_retry"
    assert isinstance(ended.error, AirflowTaskTimeout)
    kept = factories.read_post(worker, post.id)
    assert (kept.state, kept.reason_code) == (PostState.READY, "task_timeout")
    assert "task was ended after 0:00:00.05" in kept.reason
    assert "REELFLOW_MEDIA_TIMEOUT_S" in kept.reason
    assert kept.due_at > worker.ledger.now()


def test_what_cannot_be_done_ahead_of_time_changes_nothing_of_when_the_post_goes_out(
    task: Task, worker: Workspace
) -> None:
    """It became due meanwhile, and a run that publishes it may have it already."""
    operator, context = task
    operator.ahead = True
    before = factories.read_post(worker, operator.post_id)
    with pytest.raises(MediaToolError), post_kept_or_skipped(operator, context):
        raise MediaToolError("libav was killed")
    after = factories.read_post(worker, operator.post_id)
    assert (after.due_at, after.reason) == (before.due_at, before.reason)


def test_an_error_stays_itself_when_it_cannot_be_recorded(
    task: Task, worker: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (data_folder(worker).root / "reelflow.db").unlink()
    with (
        caplog.at_level(logging.WARNING, "reelflow_provider"),
        pytest.raises(MediaToolError, match="ffmpeg was killed"),
        post_kept_or_skipped(*task),
    ):
        raise MediaToolError("ffmpeg was killed")
    assert f"post {task[0].post_id}: what went wrong was not recorded" in caplog.text


@pytest.mark.parametrize(
    "error",
    [MediaRejectedError("too short", violations=[]), PostFailedError("no"), ValueError("a bug")],
)
def test_every_other_error_stays_as_it_is_and_records_nothing(
    error: Exception, task: Task, worker: Workspace
) -> None:
    with pytest.raises(type(error)), post_kept_or_skipped(*task):
        raise error
    assert factories.read_post(worker, task[0].post_id).reason == "made by a test"


def test_a_broken_disk_keeps_the_post_for_later_with_the_reason(
    worker: Workspace, task: Task
) -> None:
    operator, context = task
    with (
        pytest.raises(TransientError, match="media/1 cannot be used"),
        post_kept_or_skipped(operator, context),
    ):
        raise PermissionError(13, "Permission denied", "media/1")
    kept = factories.read_post(worker, operator.post_id)
    assert (kept.state, kept.reason_code) == (PostState.READY, "os_error")
    assert kept.due_at > worker.ledger.now()
