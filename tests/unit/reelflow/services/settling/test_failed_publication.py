"""What TikTok's FAILED does to a post, reason by reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, mark_revoked
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow.tiktok.refusal_table import DAY_S, FAIL_REASONS
from reelflow.tiktok.verdicts import Verdict
from tests.factories import ACTOR, Clock, change_post, read_post
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
S = PostState

PASSING = sorted(
    reason
    for reason, meaning in FAIL_REASONS.items()
    if meaning.verdict in (Verdict.RETRY, Verdict.LATER)
)
LASTING = sorted(
    reason
    for reason, meaning in FAIL_REASONS.items()
    if meaning.verdict in (Verdict.FIX, Verdict.NEVER)
)


def fail(workspace: Workspace, publication: Publication, reason: str | None) -> Post:
    assert publication.publish_id is not None
    apply_status(
        workspace,
        publication.post_id,
        publication.publish_id,
        PublishStatus("FAILED", fail_reason=reason),
        actor=ACTOR,
    )
    return read_post(workspace, publication.post_id)


def current_state(workspace: Workspace, post: Post) -> PublicationState:
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
    assert current is not None
    return current.state


@pytest.mark.parametrize("reason", PASSING)
@pytest.mark.parametrize("state", sorted(PAST_LAST_BYTE))
def test_a_reason_that_passes_makes_the_post_ready_again_with_its_time(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    state: PostState,
    reason: str,
) -> None:
    post = fail(workspace, make_publication(workspace, make_post(account, state=state)), reason)
    assert post.state is S.READY
    assert post.due_at > clock()
    assert reason in str(post.rescheduled_because)
    assert current_state(workspace, post) is PublicationState.FAILED


def test_a_cap_of_a_day_is_waited_for(
    workspace: Workspace, processing: Publication, clock: Clock
) -> None:
    post = fail(workspace, processing, "spam_risk_too_many_posts")
    assert post.due_at == clock() + timedelta(seconds=DAY_S)


def test_each_failed_publication_is_followed_by_a_longer_pause_and_the_last_ends_the_post(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.PROCESSING)
    pauses = []
    for _ in range(workspace.rules.max_publications - 1):
        post = fail(workspace, make_publication(workspace, post), "internal")
        pauses.append(post.due_at - clock())
        change_post(workspace, post.id, state=S.PROCESSING)
        post = read_post(workspace, post.id)
    assert pauses == sorted(set(pauses))
    post = fail(workspace, make_publication(workspace, post), "internal")
    assert post.state is S.FAILED
    assert f"reelflow posts retry {post.id}" in str(post.fix)


@pytest.mark.parametrize("reason", [*LASTING, None, "a_reason_of_tomorrow"])
def test_a_reason_that_stays_ends_the_post_with_its_fix(
    workspace: Workspace, processing: Publication, reason: str | None
) -> None:
    post = fail(workspace, processing, reason)
    assert (post.state, post.reason_code) == (S.FAILED, reason or "failed_without_reason")
    assert f"reelflow posts retry {post.id}" in str(post.fix)


@pytest.mark.parametrize("state", sorted(PAST_LAST_BYTE))
def test_access_taken_away_holds_the_post_until_the_account_is_connected_again(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    publication = make_publication(workspace, make_post(account, state=state))
    mark_revoked(workspace, account.id, why="a test says so", actor=ACTOR)
    post = fail(workspace, publication, "auth_removed")
    assert (post.state, post.reason_code) == (S.HELD, ACCOUNT_REVOKED)
    assert f"reelflow accounts connect {account.name}" in str(post.fix)


def test_a_post_that_failed_for_want_of_access_goes_out_when_its_account_has_access_again(
    workspace: Workspace, processing: Publication, clock: Clock
) -> None:
    post = fail(workspace, processing, "auth_removed")
    assert (post.state, post.due_at > clock()) == (S.READY, True)


@pytest.mark.parametrize("reason", [*PASSING, "auth_removed"])
def test_no_machine_posts_an_unknown_post_again(
    workspace: Workspace, account: Account, make_post: MakePost, reason: str
) -> None:
    publication = make_publication(workspace, make_post(account, state=S.UNKNOWN))
    assert fail(workspace, publication, reason).state is S.FAILED


def test_a_post_that_a_person_asked_tiktok_to_cancel_is_not_tried_again(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.PROCESSING)
    change_post(workspace, post.id, cancel_requested_at=clock())
    post = fail(workspace, make_publication(workspace, post), "internal")
    assert post.state is S.FAILED
