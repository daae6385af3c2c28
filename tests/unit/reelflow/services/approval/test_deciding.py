"""What becomes of a post by an answer; one that cannot be used, or comes too late, is harmless."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.approval.deciding import (
    NOT_APPROVED_IN_TIME,
    REJECTED_BY_PERSON,
    REST,
    Answer,
    decide,
    go_unanswered,
)
from reelflow.services.approval.finding import asked_questions, lapse, waiting_approvals
from reelflow.services.steering import commands
from reelflow.services.steering.editing import edit_post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.services.approval.questions import (
    ScriptedCreator,
    asked,
    asker,
    held,
    last_step,
    row,
)


@pytest.fixture
def post(workspace: Workspace, account: Account) -> Post:
    return held(workspace, account)


def answered(workspace: Workspace, post: Post, option: str, **fields: Any) -> str:
    return decide(workspace, post.id, Answer([option], "anna", fields), asker=asker())


def test_an_approved_post_goes_out_at_its_time_and_who_decided_is_in_its_story(
    workspace: Workspace, account: Account, clock: factories.Clock
) -> None:
    at = clock() + timedelta(days=3)
    post = held(workspace, account, publish_at=at, due_at=at)
    asked(workspace, post)
    answered(workspace, post, "Approve")
    now = factories.read_post(workspace, post.id)
    assert (now.state, now.due_at, now.approved_at) == (PostState.READY, at, clock())
    assert last_step(workspace, post) == ("user:anna", "READY", "approved by anna")
    assert row(workspace).ended_at == clock()


def test_privacy_and_cover_are_what_the_approver_chose(workspace: Workspace, post: Post) -> None:
    asked(workspace, post)
    chosen = {"privacy_level": "PUBLIC_TO_EVERYONE", "cover": "2: at 0.9 s"}
    answered(workspace, post, "Approve", **chosen)
    now = factories.read_post(workspace, post.id)
    assert (now.privacy_level, now.cover_timestamp_ms) == ("PUBLIC_TO_EVERYONE", 900)
    assert last_step(workspace, post)[2] == "approved by anna with privacy PUBLIC_TO_EVERYONE"


def test_reject_cancels_this_post_and_no_other(workspace: Workspace, account: Account) -> None:
    post, other = held(workspace, account), held(workspace, account)
    asked(workspace, post)
    asked(workspace, other)
    answered(workspace, post, "Reject", privacy_level="anything", cover=7)
    now = factories.read_post(workspace, post.id)
    assert (now.state, now.reason_code) == (PostState.CANCELLED, REJECTED_BY_PERSON)
    assert last_step(workspace, post) == ("user:anna", "CANCELLED", "rejected by anna")
    assert factories.read_post(workspace, other.id).state is PostState.HELD


def test_what_is_set_aside_is_asked_about_in_an_hour(
    workspace: Workspace, post: Post, clock: factories.Clock
) -> None:
    asked(workspace, post)
    answered(workspace, post, "Not now")
    assert factories.read_post(workspace, post.id).state is PostState.HELD
    assert waiting_approvals(workspace) == frozenset()
    clock.advance(REST)
    assert waiting_approvals(workspace) == {f"post:{post.id}"}


@pytest.mark.parametrize(
    ("option", "fields", "told"),
    [
        ("Maybe", {}, "say one of Approve, Reject, Not now"),
        ("Approve", {"privacy_level": "FRIENDS"}, "'FRIENDS'; there are PUBLIC_TO_EVERYONE"),
        ("Approve", {"privacy_level": "MUTUAL_FOLLOW_FRIENDS"}, "there are PUBLIC_TO_EVERYONE"),
        ("Approve", {"privacy_level": ["SELF_ONLY"]}, "there are PUBLIC_TO_EVERYONE"),
        ("Approve", {"cover": "3: at 9.9 s"}, "there are unchanged, 1: at 0.3 s"),
        ("Approve", {"cover": {"a": 1}}, "there are unchanged"),
        ("Approve", {"caption": "mine"}, "the field 'caption'"),
    ],
)
def test_an_answer_that_cannot_be_used_changes_nothing_and_is_told_when_it_is_asked_again(
    workspace: Workspace, post: Post, option: str, fields: dict[str, Any], told: str
) -> None:
    asked(workspace, post)
    before = factories.read_post(workspace, post.id)
    said = answered(workspace, post, option, **fields)
    assert "cannot be used, and changed nothing" in said
    assert told in said
    after = factories.read_post(workspace, post.id)
    assert (after.state, after.privacy_level) == (before.state, before.privacy_level)
    assert after.cover_timestamp_ms is None
    again = asked(workspace, post, by=asker("another run"))
    assert "Your answer was not used" in again.body
    decide(workspace, post.id, Answer(["Approve"], "anna"), asker=asker("another run"))
    assert factories.read_post(workspace, post.id).state is PostState.READY


@pytest.mark.parametrize("chosen", [None, "", "not chosen yet"])
def test_a_post_without_a_privacy_level_cannot_be_approved_without_choosing_one(
    workspace: Workspace, account: Account, chosen: str | None
) -> None:
    post = held(workspace, account, privacy_level=None, reason_code="no_privacy")
    asked(workspace, post)
    told = answered(workspace, post, "Approve", privacy_level=chosen)
    assert "the post has none yet: PUBLIC_TO_EVERYONE" in told


def test_what_was_changed_after_it_was_shown_is_not_approved_by_that(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    edit_post(workspace, post.id, {"caption": "another one"}, actor="user:mallory")
    assert "changed after it was shown" in answered(workspace, post, "Approve")
    assert factories.read_post(workspace, post.id).state is PostState.HELD


def test_what_an_approved_post_wishes_then_is_approved_anew(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    answered(workspace, post, "Approve")
    edit_post(workspace, post.id, {"caption": "another one"}, actor="user:mallory")
    now = factories.read_post(workspace, post.id)
    assert (now.state, now.approved_at) == (PostState.HELD, None)


def test_what_the_creator_switched_off_is_gone_without(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account, wanted_interactions="comment", reason_code="interaction_off")
    asked(workspace, post, ScriptedCreator(comment_disabled=True))
    answered(workspace, post, "Approve")
    now = factories.read_post(workspace, post.id)
    assert (now.disable_comment, now.wanted_interactions) == (True, None)


@pytest.mark.parametrize("fields", [{}, {"privacy_level": "SELF_ONLY"}])
def test_branded_content_for_which_nothing_but_private_is_offered_is_not_approved(
    workspace: Workspace, account: Account, fields: dict[str, Any]
) -> None:
    post = held(workspace, account, brand_content_toggle=True)
    asked(workspace, post, ScriptedCreator(levels=("SELF_ONLY",)))
    told = answered(workspace, post, "Approve", **fields)
    assert "branded content cannot be private, and its creator offers nothing else now" in told
    assert factories.read_post(workspace, post.id).state is PostState.HELD


def settle(workspace: Workspace, post: Post, how: str) -> None:
    if how == "released":
        commands.release(workspace, post.id, actor="person:bob")
    elif how == "cancelled":
        commands.cancel(workspace, post.id, actor="person:bob")
    else:
        factories.change_post(workspace, post.id, state=PostState.PUBLISHED)


@pytest.mark.parametrize("how", ["released", "cancelled", "published"])
@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_an_answer_about_a_post_that_was_settled_meanwhile_changes_nothing_and_says_so(
    workspace: Workspace, post: Post, how: str, option: str
) -> None:
    asked(workspace, post)
    settle(workspace, post, how)
    before = factories.read_post(workspace, post.id)
    told = answered(workspace, post, option)
    after = factories.read_post(workspace, post.id)
    assert "the answer changes nothing" in told
    assert (after.state, after.state_since, after.due_at) == (
        before.state,
        before.state_since,
        before.due_at,
    )
    actor, to_state, why = last_step(workspace, post)
    assert (actor, to_state) == ("user:anna", None)
    assert f"answered '{option}' in Airflow, too late" in why
    assert row(workspace).ended_at is not None


def test_an_answer_to_a_post_that_is_held_anew_does_not_count(
    workspace: Workspace, post: Post, clock: factories.Clock
) -> None:
    asked(workspace, post)
    factories.change_post(workspace, post.id, state_since=clock() + timedelta(minutes=1))
    assert "held again" in answered(workspace, post, "Approve")
    assert factories.read_post(workspace, post.id).state is PostState.HELD


def test_an_answer_to_a_question_that_another_run_asks_by_now_does_not_count(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    lapse(workspace, asked_questions(workspace))
    asked(workspace, post, by=asker("another run"))
    assert "took this one's place" in answered(workspace, post, "Reject")
    assert factories.read_post(workspace, post.id).state is PostState.HELD
    assert row(workspace, "another run").ended_at is None


def test_without_an_answer_the_post_stays_held_and_is_asked_about_again(
    workspace: Workspace, post: Post, clock: factories.Clock
) -> None:
    asked(workspace, post)
    clock.advance(timedelta(hours=24))
    assert "stays HELD" in go_unanswered(workspace, post.id, asker=asker())
    assert factories.read_post(workspace, post.id).state is PostState.HELD
    assert waiting_approvals(workspace) == {f"post:{post.id}"}


def test_without_an_answer_the_post_is_cancelled_where_its_account_wants_that(
    workspace: Workspace, post: Post, account: Account
) -> None:
    factories.change_account(workspace, account.id, approval_on_timeout="cancel")
    asked(workspace, post)
    go_unanswered(workspace, post.id, asker=asker())
    now = factories.read_post(workspace, post.id)
    assert (now.state, now.reason_code) == (PostState.CANCELLED, NOT_APPROVED_IN_TIME)


def test_no_answer_to_a_post_that_was_settled_meanwhile_cancels_nothing(
    workspace: Workspace, post: Post, account: Account
) -> None:
    factories.change_account(workspace, account.id, approval_on_timeout="cancel")
    asked(workspace, post)
    commands.release(workspace, post.id, actor="person:bob")
    go_unanswered(workspace, post.id, asker=asker())
    assert factories.read_post(workspace, post.id).state is PostState.READY


def test_a_post_whose_account_was_revoked_meanwhile_is_not_let_go(
    workspace: Workspace, post: Post, account: Account
) -> None:
    asked(workspace, post)
    factories.change_account(workspace, account.id, revoked=True)
    assert "Connect it first" in answered(workspace, post, "Approve")
    assert factories.read_post(workspace, post.id).state is PostState.HELD


def test_another_cover_is_made_for_whoever_looks_at_the_post_then(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    answered(workspace, post, "Approve", cover="1: at 0.3 s")
    with workspace.ledger.read() as session:
        assert session.get_one(Media, post.media_id).thumbnail_path is None
