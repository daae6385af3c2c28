"""A revoked account: its posts wait, each explained, and go on when it is connected again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from reelflow.domain.post import PostMode, PostState
from reelflow.exceptions import LeaseLostError
from reelflow.ledger import accounts, audit, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import (
    RECONNECT_SETTLES,
    mark_revoked,
    release_reconnected,
    revoked_error,
)
from reelflow.services.report import list_posts, show_post
from reelflow.services.summarize import post_line
from reelflow.services.workspace import Workspace
from reelflow.tiktok.refusal_table import ERROR_CODES
from reelflow.tiktok.verdicts import Verdict
from tests import factories
from tests.database_faults import before_statement
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

MakePost = Callable[..., Post]
ReadPost = Callable[[int], Post]
_S = PostState


def revoke(workspace: Workspace, account: Account, **more: Any) -> list[int]:
    return mark_revoked(workspace, account.id, why="the creator left", actor="tests", **more)


def release(workspace: Workspace, account: Account) -> list[int]:
    with workspace.ledger.write() as session:
        return release_reconnected(
            session, account.id, now=workspace.ledger.now(), actor="tests again"
        )


def read(workspace: Workspace, account: Account) -> Account:
    with workspace.ledger.read() as session:
        return accounts.get(session, account.id)


@ON_BOTH_DATABASES
def test_ready_posts_are_held_with_the_reason_and_the_fix(
    workspace: Workspace, account: Account, make_post: MakePost, read_post: ReadPost
) -> None:
    first, second = make_post(account), make_post(account)
    assert revoke(workspace, account) == [first.id, second.id]
    held = read_post(second.id)
    assert (held.state, held.reason_code) == (_S.HELD, "account_revoked")
    assert held.reason == "the access to account acme ended: the creator left"
    assert held.fix == "`reelflow accounts connect acme`; its posts go on by themselves then"
    with workspace.ledger.read() as session:
        last = audit.story(session, second.id)[-1]
    assert (last.actor, last.from_state, last.to_state) == ("tests", "READY", "HELD")
    kept = read(workspace, account)
    assert (kept.revoked, kept.revoked_because) == (True, "the creator left")


@pytest.mark.parametrize("state", sorted(set(PostState) - {_S.READY, _S.UPLOADING}))
def test_posts_in_other_states_keep_them(
    workspace: Workspace, account: Account, make_post: MakePost, read_post: ReadPost, state: _S
) -> None:
    post = make_post(account, state=state)
    assert revoke(workspace, account) == []
    assert read_post(post.id).state is state


@ON_BOTH_DATABASES
def test_a_living_upload_is_left_to_its_holder_and_one_without_a_holder_is_held(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    read_post: ReadPost,
    clock: Clock,
) -> None:
    soon, past = clock() + timedelta(seconds=1), clock()
    living = make_post(account, state=_S.UPLOADING, lease_owner="run", lease_until=soon)
    asleep = make_post(account, state=_S.UPLOADING, lease_owner="run", lease_until=past)
    assert revoke(workspace, account) == [asleep.id]
    assert read_post(living.id).state is _S.UPLOADING
    with pytest.raises(LeaseLostError):
        posts.check_fence(read_post(asleep.id), asleep.fencing_token)


def test_posts_of_other_accounts_are_left_alone(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    read_post: ReadPost,
) -> None:
    other = make_post(make_account("other"))
    revoke(workspace, account)
    assert read_post(other.id).state is _S.READY


def test_the_first_reason_stays_and_later_posts_are_held_too(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    revoke(workspace, account)
    version = read(workspace, account).token_version
    late = make_post(account)
    assert mark_revoked(workspace, account.id, why="another reason", actor="tests") == [late.id]
    kept = read(workspace, account)
    assert (kept.revoked_because, kept.token_version) == ("the creator left", version)


@ON_BOTH_DATABASES
def test_tokens_stored_meanwhile_are_not_revoked_for_those_that_were_refused(
    workspace: Workspace, account: Account, make_post: MakePost, read_post: ReadPost
) -> None:
    post = make_post(account)
    assert revoke(workspace, account, token_version=account.token_version - 1) == []
    assert not read(workspace, account).revoked
    assert read_post(post.id).state is _S.READY


def test_whoever_refreshes_the_tokens_of_a_revoked_account_is_too_late(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    with workspace.ledger.write() as session:
        accounts.get(session, account.id, lock=True).refreshing_until = clock()
    revoke(workspace, account)
    kept = read(workspace, account)
    assert kept.token_version == account.token_version + 1
    assert kept.refreshing_until is None


@pytest.mark.parametrize("code", sorted(RECONNECT_SETTLES))
def test_posts_that_waited_for_the_account_are_due_now_or_as_they_were_wished(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    read_post: ReadPost,
    clock: Clock,
    code: str,
) -> None:
    later, long_ago = clock() + timedelta(days=1), clock() - timedelta(days=3)
    held = {"state": _S.HELD, "reason_code": code, "claimed_by": "run"}
    held |= {"claimed_until": later, "due_at": long_ago, "rescheduled_because": "why ever"}
    old = make_post(account, publish_at=long_ago, **held)
    wished = make_post(account, publish_at=later, **held)
    whenever = make_post(account, **held)
    assert release(workspace, account) == [old.id, wished.id, whenever.id]
    dues = [read_post(post.id).due_at for post in (old, wished, whenever)]
    assert dues == [clock(), later, clock()]
    ready = read_post(old.id)
    assert (ready.state, ready.reason_code, ready.fix) == (_S.READY, None, None)
    assert (ready.claimed_by, ready.claimed_until, ready.rescheduled_because) == (None, None, None)


def test_posts_that_wait_for_something_else_go_on_waiting(
    workspace: Workspace, account: Account, make_post: MakePost, read_post: ReadPost
) -> None:
    other = make_post(account, state=_S.HELD, reason_code="privacy_not_offered")
    bare = {"state": _S.HELD, "reason_code": "account_revoked", "privacy_level": None}
    no_privacy, draft = make_post(account, **bare), make_post(account, mode=PostMode.DRAFT, **bare)
    unapproved = make_post(account, **{**bare, "privacy_level": "SELF_ONLY"}, wants_approval=True)
    assert release(workspace, account) == [draft.id]
    assert read_post(other.id).state is _S.HELD
    assert read_post(no_privacy.id).state is _S.HELD
    assert read_post(unapproved.id).state is _S.HELD


@pytest.mark.parametrize("step", [revoke, release])
def test_a_post_cannot_be_cancelled_between_the_look_and_the_step(
    tmp_path: Path,
    clock: Clock,
    postgresql_url: str,
    step: Callable[[Workspace, Account], list[int]],
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace)
    state = _S.READY if step is revoke else _S.HELD
    post = factories.make_post(workspace, account, state=state, reason_code="account_revoked")

    def cancel() -> None:
        with workspace.ledger.engine.begin() as other, pytest.raises(OperationalError):
            other.execute(select(Post.id).with_for_update(nowait=True))

    with before_statement(workspace, "WHERE posts.id = ", cancel):
        assert step(workspace, account) == [post.id]


def test_every_refusal_that_asks_for_reconnecting_is_settled_by_it() -> None:
    asked = {code for code, meaning in ERROR_CODES.items() if meaning.verdict is Verdict.AUTH}
    ours = {"account_revoked", "creator_differs"}  # of the ledger, and of the preflight
    assert asked | ours == RECONNECT_SETTLES


def test_the_error_names_the_account_the_reason_and_the_command(
    workspace: Workspace, account: Account
) -> None:
    revoke(workspace, account)
    error = revoked_error(read(workspace, account))
    assert "acme ended: the creator left" in str(error)
    assert "`reelflow accounts connect acme`" in str(error)
    assert error.context == {"account": "acme"}


@pytest.mark.parametrize("state", [_S.COMMITTING, _S.PROCESSING])
def test_a_post_that_tiktok_may_have_says_that_it_cannot_be_asked_about_until_the_account_is_back(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    before = show_post(workspace, post.id)
    revoke(workspace, account)
    (row,) = list_posts(workspace)
    assert row["state"] == state
    assert row["reason"] == (
        f"{before['reason']}. TikTok cannot be asked what became of it, because the access to "
        f"account {account.name} ended: the creator left"
    )
    fix = f"`reelflow accounts connect {account.name}`; its posts go on by themselves then"
    assert row["fix"] == fix
    with workspace.ledger.read() as session:
        assert post_line(posts.get(session, post.id)).endswith(f"the creator left. To fix: {fix}")
    factories.change_account(workspace, account.id, revoked=False)
    now = show_post(workspace, post.id)
    assert (now["reason"], now["fix"]) == (before["reason"], None)


def test_a_post_of_a_revoked_account_that_is_for_a_person_anyway_keeps_its_own_reason(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=_S.UNKNOWN, reason="nothing was learnt", fix="look at TikTok")
    revoke(workspace, account)
    told = show_post(workspace, post.id)
    assert (told["reason"], told["fix"]) == ("nothing was learnt", "look at TikTok")
