"""An approval is of what was shown: of no verdict that came, or became another, after that."""

from __future__ import annotations

from typing import Any

import pytest

from reelflow.domain.analysis import AI_GENERATED
from reelflow.domain.post import PostState
from reelflow.ledger import verdicts
from reelflow.ledger.models import Account, Post, Verdict
from reelflow.services.approval.deciding import Answer, decide
from reelflow.services.approval.finding import waiting_approvals
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.services.approval.questions import (
    analysis_of,
    approver_of,
    asked,
    asker,
    found,
    held,
)


@pytest.fixture
def post(workspace: Workspace, account: Account) -> Post:
    return held(workspace, account)


def answered(workspace: Workspace, post: Post, option: str) -> str:
    return decide(workspace, post.id, Answer([option], "anna"), asker=asker())


def test_an_approval_is_of_the_verdicts_too(workspace: Workspace, account: Account) -> None:
    post = held(workspace, account, reason_code=AI_GENERATED)
    verdict = analysis_of(workspace, post)
    found(workspace, verdict)
    question = asked(workspace, post)
    assert r"⚠ clip\.mp4 is generated" in question.body
    answered(workspace, post, "Approve")
    assert approver_of(workspace, verdict) == "user:anna"


def test_a_verdict_that_came_after_the_question_is_not_approved_but_asked_about(
    workspace: Workspace, post: Post
) -> None:
    verdict = analysis_of(workspace, post)
    asked(workspace, post)
    found(workspace, verdict)
    told = answered(workspace, post, "Approve")
    assert "an analysis ended after it was shown (clip.mp4 is generated, says provenance)" in told
    assert factories.read_post(workspace, post.id).state is PostState.HELD
    assert approver_of(workspace, verdict) is None
    assert waiting_approvals(workspace) == {f"post:{post.id}"}
    again = asker("another run")
    body = asked(workspace, post, by=again).body
    assert "Your answer was not used" in body
    assert r"⚠ clip\.mp4 is generated" in body
    decide(workspace, post.id, Answer(["Approve"], "anna"), asker=again)
    assert factories.read_post(workspace, post.id).state is PostState.READY
    assert approver_of(workspace, verdict) == "user:anna"


@pytest.mark.parametrize(
    "changed",
    [
        {"is_fake": False},
        {"confidence": 0.9},
        {"details": {"summary": "made by a machine"}},
        {"name": "v-2"},
    ],
    ids=["finding", "confidence", "summary", "id"],
)
def test_a_verdict_that_became_another_after_the_question_is_asked_about(
    workspace: Workspace, post: Post, changed: dict[str, Any]
) -> None:
    verdict = analysis_of(workspace, post)
    found(workspace, verdict)
    asked(workspace, post)
    found(workspace, verdict, **changed)
    assert "an analysis ended after it was shown" in answered(workspace, post, "Approve")
    assert approver_of(workspace, verdict) is None


def test_a_refusal_to_judge_that_came_after_the_question_is_not_approved(
    workspace: Workspace, post: Post, clock: factories.Clock
) -> None:
    verdict = analysis_of(workspace, post)
    asked(workspace, post)
    with workspace.ledger.write() as session:
        row = session.get_one(Verdict, verdict)
        verdicts.refuse(session, row, why="no face in it", now=clock())
    told = answered(workspace, post, "Approve")
    assert "an analysis ended after it was shown (clip.mp4: no face in it)" in told
    assert approver_of(workspace, verdict) is None


def test_an_analysis_that_merely_began_after_the_question_keeps_no_post_from_being_approved(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    verdict = analysis_of(workspace, post)
    answered(workspace, post, "Approve")
    assert factories.read_post(workspace, post.id).state is PostState.READY
    found(workspace, verdict)
    assert approver_of(workspace, verdict) is None


def test_what_is_rejected_is_rejected_whatever_was_found_since(
    workspace: Workspace, post: Post
) -> None:
    verdict = analysis_of(workspace, post)
    asked(workspace, post)
    found(workspace, verdict)
    answered(workspace, post, "Reject")
    assert factories.read_post(workspace, post.id).state is PostState.CANCELLED


def test_a_verdict_that_is_no_more_is_asked_about_without_it(
    workspace: Workspace, post: Post
) -> None:
    verdict = analysis_of(workspace, post)
    found(workspace, verdict)
    asked(workspace, post)
    with workspace.ledger.write() as session:
        session.get_one(Verdict, verdict).found_at = None
    told = answered(workspace, post, "Approve")
    assert "an analysis is begun anew: look at it as it is now" in told
    assert factories.read_post(workspace, post.id).state is PostState.HELD
