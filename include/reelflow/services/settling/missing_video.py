"""Looking for posts among an account's public videos: those without a link, and UNKNOWN ones."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Protocol

from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import accounts, damage, posts, publications, unsettled_posts
from reelflow.ledger.models import Account, Post
from reelflow.services.calls.rounds import Round, by_turns
from reelflow.services.settling.video_match import CLOCK_SLACK, Sought, match_videos
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display_models import Video, VideoPage

log = logging.getLogger(__name__)

_SCOPE: Final = "video.list"
#: Most pages of 20 videos that are read of one account.
_MOST_PAGES: Final = 5
_LINKABLE: Final = frozenset({PostState.PUBLISHED_NO_LINK, PostState.UNKNOWN})


class VideoPages(Protocol):
    """What is asked of TikTok."""

    def list_videos(self, account_id: int, cursor: int | None) -> VideoPage:
        """Return one page of an account's public videos, newest first."""


def find_missing_videos(
    workspace: Workspace,
    tiktok: VideoPages,
    post_ids: Collection[int],
    settled: dict[int, PostState],
    *,
    actor: str,
    expected_for: timedelta,
) -> None:
    """Link posts to their videos where there is no doubt, and add them to ``settled``.

    :param post_ids: posts that may be among their accounts' public videos
    :param expected_for: posts that have their state for longer are left out
    """
    settled_after = workspace.ledger.now() - expected_for
    with workspace.ledger.read() as session:
        missing = unsettled_posts.sought_videos(session, post_ids, settled_after=settled_after)
        sought = []
        for post in missing:
            with damage.passing_over(session, post.id):
                sought.append((post.account, _as_sought(session, post)))
    may_list = [pair for pair in sought if _SCOPE in (accounts.granted_scopes(pair[0]) or ())]
    calls = Round()
    of_accounts = [list(pairs) for _, pairs in groupby(may_list, key=lambda pair: pair[0].id)]
    for of_account in by_turns(of_accounts, account_of=lambda pairs: pairs[0][0].id):
        account, wanted = of_account[0][0], [one for _, one in of_account]
        try:
            found = _find(workspace, tiktok, account, wanted, expected_for, calls)
        except ReelflowError as exc:
            log.warning("the videos of %s cannot be listed: %s", account.name, exc)
            continue
        for post_id, video in found.items():
            if _link(workspace, post_id, video.id, actor=actor):
                settled[post_id] = PostState.PUBLISHED


def _find(
    workspace: Workspace,
    tiktok: VideoPages,
    account: Account,
    sought: Sequence[Sought],
    expected_for: timedelta,
    calls: Round,
) -> dict[int, Video]:
    since = min(one.since for one in sought)
    with calls.asking(account.id):
        videos = _videos_since(tiktok, account.id, since - CLOCK_SLACK)
    with workspace.ledger.read() as session:
        taken = publications.linked_post_ids(session, [video.id for video in videos])
        unlinked = unsettled_posts.with_unlinked_publication(
            session, account_id=account.id, begun_after=since - expected_for
        )
        others = [_as_sought(session, post) for post in unlinked]
    return match_videos(sought, videos, taken=taken, others=others)


def _as_sought(session: Session, post: Post) -> Sought:
    """Return what a post's video is known by; no publication of it was begun earlier."""
    begun = [one.created_at for one in publications.of_post(session, post.id)]
    texts = tuple(text for text in (post.caption, post.title) if text and text.strip())
    return Sought(post.id, texts, min(begun, default=post.state_since))


def _videos_since(tiktok: VideoPages, account_id: int, since: datetime) -> list[Video]:
    """Return all videos of an account since a time; none if there are too many to be sure."""
    videos: list[Video] = []
    cursor: int | None = None
    for _ in range(_MOST_PAGES):
        page = tiktok.list_videos(account_id, cursor)
        videos += page.videos
        cursor = page.cursor
        is_last = not page.has_more or not page.videos or cursor is None
        if is_last or page.videos[-1].create_time < since:
            return videos
    log.info("account %d has more than %d new videos: none is linked", account_id, len(videos))
    return []


def _link(workspace: Workspace, post_id: int, tiktok_post_id: str, *, actor: str) -> bool:
    """Make a post PUBLISHED whose video was found on its account, unless it was settled meanwhile.

    :return: whether it is PUBLISHED by this
    """
    now = workspace.ledger.now()
    why = f"it was found on the account as {tiktok_post_id}"
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        publication = publications.current(session, post_id)
        if (
            publication is None
            or post.state not in _LINKABLE
            or publications.linked_post_ids(session, [tiktok_post_id])
        ):
            return False
        done = PublicationState.DONE
        publication.tiktok_post_id = tiktok_post_id
        if publication.state is not done:
            publications.move(session, publication, done, now=now, actor=actor, why=why)
        posts.move(
            session,
            post_id,
            PostState.PUBLISHED,
            now=now,
            actor=actor,
            why=why,
            publication_id=publication.id,
        )
    return True
