"""Posts found among their accounts' videos, and those that no video may be said to be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import TikTokAuthError, TikTokUnavailableError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.settling.missing_video import find_missing_videos
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, change_account, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID, AskedTikTok, video

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
HOUR = timedelta(hours=1)
THREE_DAYS = timedelta(hours=72)


@pytest.fixture
def creator(workspace: Workspace, account: Account) -> Account:
    """The account ``acme``, whose videos may be listed."""
    change_account(workspace, account.id, scopes="user.info.basic,video.list,video.publish")
    return account


def post_of(workspace: Workspace, make_post: MakePost, account: Account, **fields: Any) -> Post:
    """Return a public post with the caption "Lake" and no link, with its publication."""
    columns = fields.pop("publication", {})
    post = make_post(
        account,
        **{
            "state": S.PUBLISHED_NO_LINK,
            "privacy_level": "PUBLIC_TO_EVERYONE",
            "caption": "Lake",
            **fields,
        },
    )
    make_publication(workspace, post, **columns)
    return post


def find(workspace: Workspace, tiktok: AskedTikTok, *posts: Post) -> dict[int, PostState]:
    settled: dict[int, PostState] = {}
    post_ids = [post.id for post in posts]
    find_missing_videos(workspace, tiktok, post_ids, settled, actor=ACTOR, expected_for=THREE_DAYS)
    return settled


@pytest.mark.parametrize(
    ("state", "publication"),
    [
        (S.PUBLISHED_NO_LINK, {}),
        (S.UNKNOWN, {"publish_id": None, "source": MediaSource.PULL_FROM_URL}),
    ],
)
def test_the_only_video_with_the_caption_is_the_post(
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    state: PostState,
    publication: dict[str, Any],
) -> None:
    post = post_of(workspace, make_post, creator, state=state, publication=publication)
    tiktok.videos[creator.id] = [video("1", "Forest", clock()), video(POST_ID, "Lake", clock())]
    assert find(workspace, tiktok, post) == {post.id: S.PUBLISHED}
    assert read_post(workspace, post.id).state is S.PUBLISHED
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
        story = [row.why for row in audit.story(session, post.id)]
    assert current is not None
    assert (current.state, current.tiktok_post_id) == (P.DONE, POST_ID)
    assert story[-1] == f"it was found on the account as {POST_ID}"


@pytest.mark.parametrize(
    "fields",
    [
        {"privacy_level": "SELF_ONLY"},
        {"kind": PostKind.PHOTO},
        {"state": S.PUBLISHED},
        {"state": S.IN_INBOX},
        {"state": S.PROCESSING},
    ],
)
def test_only_public_videos_without_a_link_are_looked_for(
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    fields: dict[str, Any],
) -> None:
    post = post_of(workspace, make_post, creator, **fields)
    assert find(workspace, tiktok, post) == {}
    assert tiktok.listed == []


@pytest.mark.parametrize(
    "columns", [{"scopes": None}, {"scopes": "video.publish"}, {"revoked": True}]
)
def test_an_account_whose_videos_may_not_be_listed_is_not_asked(
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    columns: dict[str, Any],
) -> None:
    post = post_of(workspace, make_post, creator)
    change_account(workspace, creator.id, **columns)
    find(workspace, tiktok, post)
    assert tiktok.listed == []


def test_after_three_days_a_post_is_looked_for_no_more(
    workspace: Workspace, creator: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = post_of(workspace, make_post, creator)
    clock.advance(THREE_DAYS)
    find(workspace, tiktok, post)
    assert tiktok.listed == []


@pytest.mark.parametrize(
    "rival",
    [
        {"state": S.PROCESSING},
        {"state": S.COMMITTING},
        {"state": S.UNKNOWN},
        {"state": S.PUBLISHED_NO_LINK},
        {"state": S.IN_INBOX, "mode": PostMode.DRAFT},
        {"state": S.READY, "publication": {"state": P.SUPERSEDED, "is_current": False}},
        {"state": S.FAILED, "publication": {"state": P.FAILED}},
    ],
)
def test_a_video_that_may_be_another_posts_is_nobodys(
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    rival: dict[str, Any],
) -> None:
    post_of(workspace, make_post, creator, **rival)
    clock.advance(HOUR)
    post = post_of(workspace, make_post, creator)
    tiktok.videos[creator.id] = [video(POST_ID, "Lake", clock())]
    assert find(workspace, tiktok, post) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"state": S.FAILED, "publication": {"state": P.FAILED, "tiktok_status": "FAILED"}},
        {"state": S.PUBLISHED, "publication": {"tiktok_post_id": "1"}},
        {"caption": "Forest"},
        {"kind": PostKind.PHOTO},
    ],
)
def test_posts_that_cannot_be_the_video_do_not_stand_in_the_way(
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    other: dict[str, Any],
) -> None:
    post_of(workspace, make_post, creator, **other)
    post = post_of(workspace, make_post, creator)
    tiktok.videos[creator.id] = [video(POST_ID, "Lake", clock()), video("1", "Lake", clock())][
        : 2 if other.get("state") is S.PUBLISHED else 1
    ]
    assert find(workspace, tiktok, post) == {post.id: S.PUBLISHED}


def test_a_post_that_was_settled_while_the_videos_were_listed_is_left(
    workspace: Workspace, creator: Account, make_post: MakePost, clock: Clock
) -> None:
    post = post_of(workspace, make_post, creator, state=S.UNKNOWN)

    class Slow(AskedTikTok):
        def list_videos(self, account_id: int, cursor: int | None) -> Any:
            change_post(workspace, post.id, state=S.FAILED)  # a person did not find it
            return super().list_videos(account_id, cursor)

    slow = Slow(videos={creator.id: [video(POST_ID, "Lake", clock())]})
    assert find(workspace, slow, post) == {}
    assert read_post(workspace, post.id).state is S.FAILED


@pytest.mark.parametrize(
    "trouble", [TikTokAuthError("no scope"), TikTokUnavailableError("HTTP 503")]
)
def test_one_accounts_trouble_does_not_stop_the_others(
    workspace: Workspace,
    creator: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    trouble: Exception,
) -> None:
    other = make_account("other")
    change_account(workspace, other.id, scopes="video.list")
    first, second = (post_of(workspace, make_post, one) for one in (creator, other))
    tiktok.list_error[creator.id] = trouble
    tiktok.videos[other.id] = [video(POST_ID, "Lake", clock())]
    assert find(workspace, tiktok, first, second) == {second.id: S.PUBLISHED}


def test_pages_are_read_until_the_videos_are_older_than_the_post(
    workspace: Workspace, creator: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = post_of(workspace, make_post, creator)
    newer = [video(str(number), "Forest", clock() + HOUR) for number in range(50)]
    older = [video(str(number), "Lake", clock() - HOUR) for number in range(100, 200)]
    tiktok.videos[creator.id] = [*newer, video(POST_ID, "Lake", clock()), *older]
    assert find(workspace, tiktok, post) == {post.id: S.PUBLISHED}
    assert len(tiktok.listed) == 3


def test_of_more_videos_than_are_read_none_is_certain(
    workspace: Workspace, creator: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    """The video of another post with the caption may be on a page that was not read."""
    post = post_of(workspace, make_post, creator)
    newer = [video(str(number), "Forest", clock() + HOUR) for number in range(200)]
    tiktok.videos[creator.id] = [video(POST_ID, "Lake", clock()), *newer]
    assert find(workspace, tiktok, post) == {}
    assert len(tiktok.listed) == 5
