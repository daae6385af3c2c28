"""Which posts a run asks about: each HELD one that a person can settle, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.analysis import AI_GENERATED
from reelflow.domain.post import APPROVAL, NO_MEDIA, PostState
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.approval.deciding import Answer, decide
from reelflow.services.approval.finding import (
    PACE,
    PICTURES_WITHIN,
    Asked,
    asked_questions,
    find_posts_to_approve,
    lapse,
    waiting_approvals,
)
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.services.approval.questions import RUN, asked, asker, held, row

MakePost = Callable[..., Post]


def taken(workspace: Workspace, run_id: str = "run") -> list[int]:
    return [post.post_id for post in find_posts_to_approve(workspace, run_id=run_id)]


@pytest.mark.parametrize(
    ("code", "is_asked"),
    [
        (APPROVAL, True),
        (AI_GENERATED, True),
        ("no_privacy", True),
        ("privacy_not_offered", True),
        ("interaction_off", True),
        ("unaudited_client_can_only_post_to_private_accounts", True),
        (None, True),
        (NO_MEDIA, False),
        ("account_revoked", False),
        ("creator_differs", False),
        ("text_too_long", False),
        ("longer_than_creator_may", False),
    ],
)
def test_a_person_is_asked_about_what_an_answer_settles(
    workspace: Workspace, account: Account, code: str | None, is_asked: bool
) -> None:
    post = held(workspace, account, reason_code=code)
    assert taken(workspace) == ([post.id] if is_asked else [])


@pytest.mark.parametrize("state", sorted(set(PostState) - {PostState.HELD}))
def test_only_held_posts_are_asked_about(
    workspace: Workspace, account: Account, state: PostState
) -> None:
    held(workspace, account, state=state) if state is PostState.HELD else factories.make_post(
        workspace, account, state=state, reason_code=APPROVAL
    )
    assert taken(workspace) == []


def test_nobody_is_asked_about_posts_of_a_revoked_account_or_of_files_that_are_not_there(
    workspace: Workspace, account: Account
) -> None:
    gone = held(workspace, account)
    with workspace.ledger.write() as session:
        session.get_one(Media, gone.media_id).deleted_at = workspace.ledger.now()
    other = factories.make_account(workspace, "other")
    held(workspace, other)
    factories.change_account(workspace, other.id, revoked=True)
    assert taken(workspace) == []


def test_pictures_are_waited_for_a_while_and_not_for_ever(
    workspace: Workspace, account: Account, make_post: MakePost, clock: factories.Clock
) -> None:
    post = make_post(account, state=PostState.HELD, reason_code=APPROVAL)
    assert waiting_approvals(workspace) == frozenset()
    clock.advance(PICTURES_WITHIN)
    assert waiting_approvals(workspace) == {f"post:{post.id}"}


def test_what_breaks_a_rule_is_asked_about_without_pictures(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD, reason_code=APPROVAL)
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).violations = [{"rule": "type"}]
    assert taken(workspace) == [post.id]


def test_the_same_run_gets_the_same_posts_again_and_another_one_none_of_them(
    workspace: Workspace, account: Account
) -> None:
    posts = [held(workspace, account).id for _ in range(3)]
    assert taken(workspace, "one") == posts
    late = held(workspace, account)
    assert taken(workspace, "two") == [late.id]
    factories.change_post(workspace, posts[1], state=PostState.CANCELLED)
    assert taken(workspace, "one") == posts
    assert waiting_approvals(workspace) == frozenset()


def test_a_run_takes_a_batch_and_the_first_due_first(
    workspace: Workspace, account: Account, clock: factories.Clock
) -> None:
    limit = workspace.rules.batch_size
    late = [held(workspace, account, due_at=clock() + timedelta(days=1)).id for _ in range(2)]
    object.__setattr__(workspace.rules, "batch_size", 2)
    soon = held(workspace, account, due_at=clock())
    assert taken(workspace, "one") == [soon.id, late[0]]
    assert taken(workspace, "two") == [late[1]]
    assert limit > 2


def test_the_more_runs_wait_the_later_the_next_one_comes(
    workspace: Workspace, account: Account, clock: factories.Clock
) -> None:
    for number in range(3):
        held(workspace, account)
        taken(workspace, f"run {number}")
    post = held(workspace, account)
    clock.advance(PACE * 3 - timedelta(seconds=1))
    assert waiting_approvals(workspace) == frozenset()
    clock.advance(timedelta(seconds=1))
    assert waiting_approvals(workspace) == {f"post:{post.id}"}


def test_a_question_that_nobody_can_answer_any_more_ends_and_another_run_asks(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account)
    asked(workspace, post)
    (question,) = asked_questions(workspace)
    assert lapse(workspace, [question]) == 1
    assert row(workspace).outcome == "its task ended without an answer"
    assert waiting_approvals(workspace) == {f"post:{post.id}"}
    assert taken(workspace, "another") == [post.id]


def test_a_question_that_was_answered_meanwhile_does_not_end_once_more(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account)
    asked(workspace, post)
    questions = asked_questions(workspace)
    assert questions == [Asked(RUN, 0)]
    decide(workspace, post.id, Answer(["Reject"], "anna"), asker=asker())
    assert lapse(workspace, questions) == 0
    assert "rejected by anna" in str(row(workspace).outcome)


def test_who_answered_in_vain_does_not_wait_for_other_runs(
    workspace: Workspace, account: Account
) -> None:
    wrong = held(workspace, account)
    asked(workspace, wrong)
    for number in range(3):
        held(workspace, account)
        taken(workspace, f"run {number}")
    held(workspace, account)
    assert waiting_approvals(workspace) == frozenset()
    decide(workspace, wrong.id, Answer(["Maybe"], "anna"), asker=asker())
    assert waiting_approvals(workspace) == {f"post:{wrong.id}"}
