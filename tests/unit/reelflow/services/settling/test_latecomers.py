"""What may still come: a link, a draft's post, a given-up publication that publishes after all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    BudgetSpentError,
    ReelflowError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.settling.latecomers import ASK_AGAIN, EXPECTED_FOR, ask_about_latecomers
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.factories import ACTOR, Clock, change_account, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID, AskedTikTok

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
SECOND = timedelta(seconds=1)
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=(POST_ID,))
REFUSED = TikTokRejectedError("no such publish_id", code="invalid_publish_id")


def ask(
    workspace: Workspace, tiktok: AskedTikTok, **limit: int
) -> tuple[dict[int, PostState], list[int]]:
    """Return what was settled, and which posts still have no link."""
    settled: dict[int, PostState] = {}
    return settled, ask_about_latecomers(workspace, tiktok, settled, actor=ACTOR, **limit)


def public(make_post: MakePost, account: Account, **fields: Any) -> Post:
    return make_post(
        account,
        **{"state": S.PUBLISHED_NO_LINK, "privacy_level": "PUBLIC_TO_EVERYONE", **fields},
    )


def given_up(workspace: Workspace, post: Post, **columns: Any) -> Publication:
    return make_publication(
        workspace, post, **{"state": P.SUPERSEDED, "is_current": False, **columns}
    )


def test_a_public_post_gains_its_link(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = public(make_post, account)
    tiktok.told(make_publication(workspace, post), LINKED)
    assert ask(workspace, tiktok) == ({post.id: S.PUBLISHED}, [])


def test_a_draft_that_its_creator_posted_is_published(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.IN_INBOX, mode=PostMode.DRAFT)
    tiktok.told(make_publication(workspace, post), COMPLETE)
    assert ask(workspace, tiktok) == ({post.id: S.PUBLISHED}, [])


@pytest.mark.parametrize("state", [S.READY, S.HELD, S.CANCELLED, S.FAILED, S.UPLOADING])
@pytest.mark.parametrize("publication", [P.SUPERSEDED, P.FAILED])
def test_a_publication_that_was_given_up_and_publishes_after_all_makes_its_post_published(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    state: PostState,
    publication: PublicationState,
) -> None:
    post = make_post(account, state=state)
    tiktok.told(given_up(workspace, post, state=publication), LINKED)
    assert ask(workspace, tiktok)[0] == {post.id: S.PUBLISHED}


def test_an_hour_passes_before_the_same_is_asked_again(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = public(make_post, account)
    tiktok.told(make_publication(workspace, post), COMPLETE)
    assert ask(workspace, tiktok) == ({}, [post.id])
    for step in (timedelta(0), ASK_AGAIN - SECOND):
        clock.advance(step)
        assert ask(workspace, tiktok) == ({}, [])
    clock.advance(SECOND)
    assert ask(workspace, tiktok) == ({}, [post.id])
    assert len(tiktok.asked) == 2


@pytest.mark.parametrize("answer", [REFUSED, TikTokUnavailableError("HTTP 503")])
def test_one_of_which_tiktok_says_nothing_has_its_turn_again_in_an_hour(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    answer: ReelflowError,
) -> None:
    post = public(make_post, account)
    tiktok.told(make_publication(workspace, post), answer)
    for _ in range(2):
        ask(workspace, tiktok)
    assert len(tiktok.asked) == 1
    clock.advance(ASK_AGAIN)
    assert ask(workspace, tiktok) == ({}, [post.id])  # its video may be found all the same


def test_one_that_was_not_asked_about_keeps_its_turn(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    publication = make_publication(workspace, public(make_post, account))
    tiktok.told(publication, BudgetSpentError("30 status calls", retry_after_s=60))
    assert ask(workspace, tiktok)[0] == {}
    tiktok.told(publication, LINKED)
    assert ask(workspace, tiktok)[0] == {publication.post_id: S.PUBLISHED}


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ({"privacy_level": "SELF_ONLY"}, {}),
        ({"state": S.PUBLISHED}, {}),
        ({"state": S.PROCESSING}, {}),
        ({}, {"publish_id": None}),
        ({}, {"tiktok_status": "FAILED"}),
        ({}, {"is_current": False}),
    ],
)
def test_nothing_is_asked_from_which_nothing_can_come(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    fields: dict[str, Any],
    columns: dict[str, Any],
) -> None:
    make_publication(workspace, public(make_post, account, **fields), **columns)
    ask(workspace, tiktok)
    assert tiktok.asked == []


def test_what_tiktok_failed_is_not_asked_about_again(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    given_up(workspace, make_post(account), tiktok_status="FAILED")
    ask(workspace, tiktok)
    assert tiktok.asked == []


def test_after_three_days_nothing_is_expected_any_more(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    make_publication(workspace, public(make_post, account))
    clock.advance(EXPECTED_FOR)
    ask(workspace, tiktok)
    assert tiktok.asked == []


def test_a_revoked_account_is_not_asked_about(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    make_publication(workspace, public(make_post, account))
    change_account(workspace, account.id, revoked=True)
    ask(workspace, tiktok)
    assert tiktok.asked == []
    change_account(workspace, account.id, revoked=False)
    ask(workspace, tiktok)
    assert len(tiktok.asked) == 1


def test_a_round_is_bounded_and_the_next_one_goes_on(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    ids = {make_publication(workspace, public(make_post, account)).publish_id for _ in range(3)}
    for asked in (2, 3):
        ask(workspace, tiktok, limit=2)
        assert len(tiktok.asked) == asked
    assert {publish_id for _, publish_id in tiktok.asked} == ids


def test_an_account_with_many_takes_no_turn_of_another(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
) -> None:
    for _ in range(5):
        publication = make_publication(workspace, public(make_post, account))
        tiktok.told(publication, BudgetSpentError("30 status calls", retry_after_s=60))
    post = public(make_post, make_account("other"))
    tiktok.told(make_publication(workspace, post), LINKED)
    assert ask(workspace, tiktok, limit=2)[0] == {post.id: S.PUBLISHED}


def test_the_post_of_a_given_up_publication_is_left_to_its_upload_while_tiktok_says_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    lease_until = clock() + SECOND
    post = make_post(account, state=S.UPLOADING, lease_owner="u", lease_until=lease_until)
    given_up(workspace, post)
    make_publication(workspace, post)
    assert ask(workspace, tiktok) == ({}, [])
    after = read_post(workspace, post.id)
    assert (after.state, after.fencing_token, after.lease_owner) == (S.UPLOADING, 0, "u")
