"""Looking for posts among an account's public videos: those without a link, and UNKNOWN ones."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Protocol

from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.exceptions import IllegalTransitionError, ReelflowError
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.settle import link
from reelflow.services.video_match import Sought, match_videos
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display_models import Video, VideoPage

log = logging.getLogger(__name__)

_SCOPE: Final = "video.list"
#: Most pages of 20 videos that are read of one account.
_MOST_PAGES: Final = 5


class VideoPages(Protocol):
    """What is asked of TikTok."""

    def list_videos(self, account_id: int, cursor: int | None) -> VideoPage:
        """Return one page of an account's public videos, newest first."""


def find_missing_videos(
    workspace: Workspace,
    tiktok: VideoPages,
    settled: dict[int, PostState],
    *,
    actor: str,
    expected_for: timedelta,
) -> None:
    """Link posts to their videos where there is no doubt, and add them to ``settled``."""
    for account, sought in _sought(workspace, expected_for):
        try:
            videos = _videos_since(tiktok, account.id, min(one.since for one in sought))
        except ReelflowError as exc:
            log.warning("the videos of %s cannot be listed: %s", account.name, exc)
            continue
        with workspace.ledger.read() as session:
            taken = publications.linked_post_ids(session, [video.id for video in videos])
        for post_id, video in match_videos(sought, videos, taken=taken).items():
            try:
                settled[post_id] = link(workspace, post_id, video.id, actor=actor)
            except IllegalTransitionError as exc:  # settled otherwise meanwhile
                log.info("post %d: %s", post_id, exc)


def _sought(workspace: Workspace, expected_for: timedelta) -> list[tuple[Account, list[Sought]]]:
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        missing = posts.without_link(session, since=now - expected_for, now=now)
        sought = [(post.account, _as_sought(session, post)) for post in missing]
    may_list = [pair for pair in sought if _SCOPE in (pair[0].scopes or "").split(",")]
    by_account = groupby(may_list, key=lambda pair: pair[0].id)
    return [
        (pairs[0][0], [one for _, one in pairs])
        for pairs in (list(group) for _, group in by_account)
    ]


def _as_sought(session: Session, post: Post) -> Sought:
    publication = publications.current(session, post.id)
    begun_at = publication.created_at if publication is not None else post.state_since
    texts = tuple(text for text in (post.caption, post.title) if text and text.strip())
    return Sought(post.id, texts, begun_at)


def _videos_since(tiktok: VideoPages, account_id: int, since: datetime) -> list[Video]:
    videos: list[Video] = []
    cursor: int | None = None
    for _ in range(_MOST_PAGES):
        page = tiktok.list_videos(account_id, cursor)
        videos += page.videos
        cursor = page.cursor
        if not page.has_more or not page.videos or page.videos[-1].create_time < since:
            break
    return videos
