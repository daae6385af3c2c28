"""What an account wants approved, from the moment it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.domain.approval import ApprovalPolicy, TimeoutAction
from reelflow.domain.post import APPROVAL, PostState
from reelflow.exceptions import ConfigurationError, PostHeldError
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.approval_policy import change_approval
from reelflow.services.intake.waiting import hold_unapproved
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import ACTOR, read_post

MakePost = Callable[..., Post]
REQUIRED = ApprovalPolicy.REQUIRED


def test_what_is_ready_and_nobody_approved_waits_from_now_on(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    ready = make_post(account)
    approved = make_post(account, approved_at=workspace.ledger.now())
    sent = make_post(account, state=PostState.PROCESSING)
    others = make_post(factories.make_account(workspace, "other"))
    changed = change_approval(workspace, account.name, actor=ACTOR, policy=REQUIRED)
    assert changed.held == [ready.id]
    held = read_post(workspace, ready.id)
    assert (held.state, held.reason_code) == (PostState.HELD, APPROVAL)
    assert "acme asks for every post" in held.reason
    assert [read_post(workspace, post.id).state for post in (approved, sent, others)] == [
        PostState.READY,
        PostState.PROCESSING,
        PostState.READY,
    ]


def test_a_post_is_let_go_once_and_then_goes(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    change_approval(workspace, account.name, actor=ACTOR, policy=REQUIRED)
    commands.release(workspace, post.id, actor=ACTOR)
    hold_unapproved(workspace, post.id, actor=ACTOR)
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_post_that_became_ready_otherwise_is_held_before_it_is_sent(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    factories.change_account(workspace, account.id, approval_policy=REQUIRED)
    post = make_post(account)
    with pytest.raises(PostHeldError, match="acme asks for every post"):
        hold_unapproved(workspace, post.id, actor=ACTOR)
    assert read_post(workspace, post.id).state is PostState.HELD


def test_another_try_of_what_nobody_approved_waits_and_of_what_somebody_did_goes(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    factories.change_account(workspace, account.id, approval_policy=REQUIRED)
    now = workspace.ledger.now()
    rejected = make_post(account, state=PostState.CANCELLED)
    failed = make_post(account, state=PostState.FAILED, approved_at=now)
    again = [commands.retry(workspace, post.id, actor=ACTOR) for post in (rejected, failed)]
    assert [post.state for post in again] == [PostState.HELD, PostState.READY]


def test_what_is_not_given_stays_and_0_hours_are_those_of_the_settings(
    workspace: Workspace, account: Account
) -> None:
    cancel = TimeoutAction.CANCEL
    change_approval(workspace, "acme", actor=ACTOR, timeout_h=2, on_timeout=cancel)
    account = change_approval(workspace, "acme", actor=ACTOR, policy=REQUIRED).account
    said = (account.approval_policy, account.approval_timeout_h, account.approval_on_timeout)
    assert said == (REQUIRED, 2, cancel)
    assert (
        change_approval(workspace, "acme", actor=ACTOR, timeout_h=0).account.approval_timeout_h
        is None
    )


@pytest.mark.parametrize("timeout_h", [-1, 169, float("nan"), float("inf")])
def test_a_question_waits_a_week_at_most(
    workspace: Workspace, account: Account, timeout_h: float
) -> None:
    with pytest.raises(ConfigurationError, match="up to 168"):
        change_approval(workspace, account.name, actor=ACTOR, timeout_h=timeout_h)
