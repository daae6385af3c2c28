"""Of several that find, decide or end at once, each post is asked about and settled by one."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Post
from reelflow.services.approval.deciding import Answer, decide, go_unanswered
from reelflow.services.approval.finding import (
    asked_questions,
    find_posts_to_approve,
    lapse,
    waiting_approvals,
)
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests import factories
from tests.contract.ledger.racing import race
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.approval.questions import (
    analysis_of,
    approver_of,
    asked,
    asker,
    found,
    held,
    row,
)

pytestmark = ON_BOTH_DATABASES

RACERS = 5


@pytest.fixture
def post(workspace: Workspace, account: Account) -> Post:
    """A post that a person is asked about."""
    post = held(workspace, account)
    asked(workspace, post)
    return post


def answer(workspace: Workspace, post: Post, option: str) -> str:
    return decide(workspace, post.id, Answer([option], "anna"), asker=asker())


def steps(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [row.to_state for row in audit.story(session, post.id) if row.to_state][1:]


def test_of_runs_that_start_at_once_each_post_is_asked_about_by_one(
    workspace: Workspace, account: Account
) -> None:
    ids = [held(workspace, account).id for _ in range(12)]

    def find(number: int) -> list[int]:
        found = find_posts_to_approve(workspace, run_id=f"run {number}")
        return [one.post_id for one in found]

    found = race([partial(find, number) for number in range(RACERS)])
    assert sorted(chain.from_iterable(found)) == ids
    assert waiting_approvals(workspace) == frozenset()


def test_of_answers_that_come_at_once_one_counts_and_the_others_say_that_they_do_not(
    workspace: Workspace, post: Post
) -> None:
    options = ["Approve", "Reject", "Approve", "Reject"]
    told = race([partial(answer, workspace, post, option) for option in options])
    (moved,) = steps(workspace, post)
    assert factories.read_post(workspace, post.id).state == moved
    too_late = [one for one in told if "the answer changes nothing" in one]
    assert len(too_late) == len(options) - 1


def test_an_answer_and_a_cancel_at_once_leave_the_post_cancelled_once(
    workspace: Workspace, post: Post
) -> None:
    told, cancelled = race(
        [
            partial(answer, workspace, post, "Approve"),
            partial(_state_of, commands.cancel, workspace, post.id, actor="person:bob"),
        ]
    )
    assert cancelled == PostState.CANCELLED
    was_first = "approved by anna" in told
    assert steps(workspace, post) == (["READY", "CANCELLED"] if was_first else ["CANCELLED"])
    assert row(workspace).ended_at is not None


def test_a_rejection_and_a_release_at_once_have_one_winner(
    workspace: Workspace, post: Post
) -> None:
    told, released = race(
        [
            partial(answer, workspace, post, "Reject"),
            partial(_state_of, commands.release, workspace, post.id, actor="person:bob"),
        ]
    )
    state = factories.read_post(workspace, post.id).state
    if state is PostState.CANCELLED:
        assert released is IllegalTransitionError
        assert "rejected by anna" in told
    else:
        assert (state, released) == (PostState.READY, PostState.READY)
        assert "the answer changes nothing" in told
    assert len(steps(workspace, post)) == 1


def test_an_approval_at_the_moment_a_verdict_comes_is_not_of_the_verdict(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account)
    verdict_id = analysis_of(workspace, post)
    asked(workspace, post)
    race(
        [
            partial(answer, workspace, post, "Approve"),
            partial(found, workspace, verdict_id),
        ]
    )
    assert approver_of(workspace, verdict_id) is None
    state = factories.read_post(workspace, post.id).state
    is_asked_again = waiting_approvals(workspace) == {f"post:{post.id}"}
    assert (state, is_asked_again) in ((PostState.READY, False), (PostState.HELD, True))


def test_an_answer_at_the_moment_its_question_ends_is_carried_out_or_asked_for_again(
    workspace: Workspace, post: Post
) -> None:
    questions = asked_questions(workspace)
    told, lapsed, _ = race(
        [
            partial(answer, workspace, post, "Reject"),
            partial(lapse, workspace, questions),
            partial(go_unanswered, workspace, post.id, asker=asker()),
        ]
    )
    state = factories.read_post(workspace, post.id).state
    assert ("rejected by anna" in told) == (state is PostState.CANCELLED)
    assert lapsed in (0, 1)
    if state is PostState.HELD:
        assert waiting_approvals(workspace) == {f"post:{post.id}"}


def _state_of(command: Any, *arguments: Any, **named: Any) -> PostState:
    state: PostState = command(*arguments, **named).state
    return state
