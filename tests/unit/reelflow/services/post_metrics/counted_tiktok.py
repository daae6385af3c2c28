"""TikTok as it is asked for counts, and published posts that have some there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display_models import Video
from tests import factories
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import video

_numbers = itertools.count(7_678_907_398_077_074_696)


@dataclass
class CountedTikTok:
    """Answers with the counts that a test says.

    :ivar errors: what a call for an account ends with, by the account's id
    :ivar on_call: called with the account's id before each answer
    """

    videos: dict[str, Video] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)
    asked: list[tuple[int, list[str]]] = field(default_factory=list)
    on_call: Callable[[int], object] = lambda _: None

    def query_videos(self, account_id: int, ids: Sequence[str]) -> tuple[Video, ...]:
        self.asked.append((account_id, list(ids)))
        self.on_call(account_id)
        if account_id in self.errors:
            raise self.errors[account_id]
        # In an order of TikTok's own.
        return tuple(self.videos[one] for one in reversed(ids) if one in self.videos)

    @property
    def asked_accounts(self) -> list[int]:
        return [account_id for account_id, _ in self.asked]

    def count(self, tiktok_post_id: str, view_count: int, **counts: int | None) -> None:
        """Let a video have these counts from now on; the others are 0."""
        shown = video(tiktok_post_id, "", factories.Clock()())
        values: dict[str, Any] = {"view_count": view_count, **counts}
        self.videos[tiktok_post_id] = replace(shown, **values)


def make_published(
    workspace: Workspace,
    account: Account,
    tiktok: CountedTikTok | None = None,
    *,
    views: int = 0,
    state: PostState = PostState.PUBLISHED,
    tiktok_post_id: str | None = "new",
    **fields: Any,
) -> tuple[Post, str]:
    """Add a post with its video, and return both.

    :param tiktok: shows the video, with so many views
    """
    post = factories.make_post(workspace, account, state=state, **fields)
    video_id = str(next(_numbers)) if tiktok_post_id == "new" else tiktok_post_id
    done = PublicationState.DONE
    make_publication(workspace, post, state=done, tiktok_post_id=video_id)
    if tiktok is not None and video_id is not None:
        tiktok.count(video_id, views)
    return post, video_id or ""
