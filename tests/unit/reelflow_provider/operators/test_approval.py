"""The approval operators as a worker runs them, against the simulator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import HITLDetailRequest
from airflow.sdk.execution_time import comms

from reelflow.domain.post import PostState
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Account, Post
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.approval import (
    AskForApprovalOperator,
    FindPostsToApproveOperator,
)
from tests import factories
from tests.unit.reelflow.services.approval.questions import held, last_step
from tests.unit.reelflow_provider.airflow_task import RUN_ID, Ended, run_task

ANNA = {"id": "anna", "name": "anna"}


@pytest.fixture
def post(worker: Workspace, creator: Account) -> Post:
    return held(worker, creator)


def asked(post: Post, *, run_id: str = RUN_ID) -> tuple[Ended, Any]:
    """Take a post and ask about it; return how that ended, and what Airflow was told to show."""
    assert run_task(FindPostsToApproveOperator, run_id=run_id).result == [post.id]
    ended = run_task(AskForApprovalOperator, run_id=run_id, post_id=post.id)
    details = [one for one in ended.sent if isinstance(one, comms.CreateHITLDetailPayload)]
    return ended, details[-1] if details else None


def answered(post: Post, option: str, *, by: dict[str, Any] | None = None, **fields: Any) -> Ended:
    """Let a task go on with an answer."""
    event = {
        "chosen_options": [option],
        "params_input": fields,
        "responded_at": datetime.now(UTC),
        "responded_by_user": by or ANNA,
        "timedout": False,
    }
    return run_task(AskForApprovalOperator, post_id=post.id, event=event)


def test_it_waits_without_a_worker_for_an_answer_to_what_the_view_shows(
    worker: Workspace, post: Post
) -> None:
    ended, shown = asked(post)
    assert ended.state == "awaiting_input"
    assert ended.message.next_method == "execute_complete"
    assert 23 * 3600 < ended.message.timeout.total_seconds() <= 24 * 3600
    assert isinstance(shown, HITLDetailRequest)
    assert shown.subject == "Publish clip.mp4 to aurora?"
    # A default would be shown as the button to press.
    assert (shown.options, shown.defaults) == (["Approve", "Reject", "Not now"], None)
    assert shown.params is not None
    levels = shown.params["privacy_level"]
    assert levels["value"] == levels["schema"]["enum"][0] == "SELF_ONLY"
    assert "PUBLIC_TO_EVERYONE" in levels["schema"]["enum"]
    assert levels["schema"]["values_display"] == {"null": "choose one"}
    assert shown.params["cover"]["value"] == "unchanged"


def test_an_approval_lets_the_post_go_with_what_was_chosen(worker: Workspace, post: Post) -> None:
    asked(post)
    ended = answered(post, "Approve", privacy_level="PUBLIC_TO_EVERYONE", cover="unchanged")
    assert ended.state == "success"
    assert "approved by anna" in ended.result
    now = factories.read_post(worker, post.id)
    assert (now.state, now.privacy_level) == (PostState.READY, "PUBLIC_TO_EVERYONE")


def test_a_rejection_cancels_the_post(worker: Workspace, post: Post) -> None:
    asked(post)
    assert answered(post, "Reject").state == "success"
    now = factories.read_post(worker, post.id)
    assert (now.state, now.reason) == (PostState.CANCELLED, "rejected by anna")


@pytest.mark.parametrize(
    ("user", "known_as"),
    [
        ({"id": "1", "name": "mia"}, "mia (1)"),  # FAB's ids are numbers
        ({"id": 1, "name": None}, "1"),
        ({"id": "", "name": "mia"}, "mia"),
        ({"id": "7", "name": "m\u202ei\x1b[2Ja\n" + "x" * 999}, "mi[2Ja" + "x" * 122 + " (7)"),
    ],
    ids=["fab", "no name", "no id", "hostile"],
)
def test_who_decided_is_told_by_the_name_that_people_know(
    worker: Workspace, post: Post, user: dict[str, Any], known_as: str
) -> None:
    asked(post)
    answered(post, "Reject", by=user)
    assert factories.read_post(worker, post.id).reason == f"rejected by {known_as}"
    assert last_step(worker, post)[0] == f"user:{known_as}"


def test_what_cannot_be_approved_has_no_button_for_it(worker: Workspace, creator: Account) -> None:
    earlier, now = factories.make_post(worker, creator), worker.ledger.now()
    offer = {"username": "aurora", "privacy_levels": ["SELF_ONLY"], "off": []}
    times = {"taken_at": now, "asked_at": now, "ended_at": now}
    with worker.ledger.write() as session:
        session.add(
            ApprovalQuestion(
                run_id="r", ordinal=0, post_id=earlier.id, choices={"creator": offer}, **times
            )
        )
    _, shown = asked(held(worker, creator, brand_content_toggle=True))
    assert shown.options == ["Reject", "Not now"]
    assert "privacy_level" not in shown.params


def test_an_answer_that_cannot_be_used_is_told_and_asked_for_by_another_run(
    worker: Workspace, post: Post
) -> None:
    asked(post)
    ended = answered(post, "Approve", privacy_level="EVERYBODY")
    assert ended.state == "success"
    assert "cannot be used, and changed nothing" in ended.result
    _, shown = asked(post, run_id="another run")
    assert r"it chooses the privacy level \'EVERYBODY\'" in shown.body


def test_no_answer_in_time_leaves_the_post_to_the_next_run(worker: Workspace, post: Post) -> None:
    asked(post)
    event = {"error": "The response timeout has passed.", "error_type": "timeout"}
    ended = run_task(AskForApprovalOperator, post_id=post.id, event=event)
    assert ended.state == "success"
    assert "stays HELD" in ended.result
    assert factories.read_post(worker, post.id).state is PostState.HELD


def test_a_post_that_was_settled_meanwhile_skips_and_is_not_asked_about(
    worker: Workspace, post: Post
) -> None:
    run_task(FindPostsToApproveOperator)
    commands.release(worker, post.id, actor="person:bob")
    ended = run_task(AskForApprovalOperator, post_id=post.id)
    assert ended.skipped_because == f"post {post.id} is READY: released by hand"


def test_an_answer_after_that_succeeds_and_says_that_it_changed_nothing(
    worker: Workspace, post: Post
) -> None:
    asked(post)
    commands.cancel(worker, post.id, actor="person:bob")
    ended = answered(post, "Approve")
    assert ended.state == "success"
    assert "the answer changes nothing" in ended.result
    assert factories.read_post(worker, post.id).state is PostState.CANCELLED


def test_a_task_that_is_cleared_leaves_the_post_to_another_run(
    worker: Workspace, post: Post
) -> None:
    asked(post)
    again, shown = asked(post)
    assert "another run asks about it as it is now" in again.skipped_because
    assert shown is None
    asking, _ = asked(post, run_id="another run")
    assert asking.state == "awaiting_input"


def test_a_missing_connection_is_told_and_stops_no_question(
    worker: Workspace, creator: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = held(worker, creator)
    monkeypatch.delenv("AIRFLOW_CONN_TIKTOK_APP")
    ended, shown = asked(post)
    assert ended.state == "awaiting_input"
    assert r"\'tiktok\_app\' does not exist" in shown.body


def test_no_token_and_no_host_is_in_what_the_view_shows(worker: Workspace, post: Post) -> None:
    _, shown = asked(post)
    assert "act." not in shown.body
    assert "127.0.0.1" not in shown.body
