"""Recognising a post among an account's public videos, by its caption and its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reelflow.tiktok.display_models import Video

#: TikTok shows this much of a caption in its lists (tiktok-api-v2-video-object).
SHOWN_CHARS: Final = 150
#: How much earlier than our own clock said TikTok's clock may date a post.
CLOCK_SLACK: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Sought:
    """A post that may be among the videos.

    :param texts: its caption, and its title when it has one; a post without any is never found
    :param since: nothing published earlier can be it
    """

    post_id: int
    texts: tuple[str, ...]
    since: datetime


def match_videos(
    sought: Iterable[Sought],
    videos: Iterable[Video],
    *,
    taken: Collection[str],
    others: Iterable[Sought] = (),
) -> dict[int, Video]:
    """Return the videos that are certain: the only one with a post's caption, of one post only.

    Two posts with the same caption, or two videos with it, are for a person to tell apart.

    :param taken: ids of videos that are other posts' already
    :param others: posts that are not sought, and to which a video may belong all the same
    """
    free = {video.id: video for video in videos if video.id not in taken}
    wanted = {one.post_id: one for one in sought}
    all_posts = {one.post_id: one for one in others} | wanted
    fitting = {
        post_id: [video.id for video in free.values() if _fits(one, video)]
        for post_id, one in all_posts.items()
    }
    claims = Counter(video_id for found in fitting.values() for video_id in found)
    return {
        post_id: free[fitting[post_id][0]]
        for post_id in wanted
        if len(fitting[post_id]) == 1 and claims[fitting[post_id][0]] == 1
    }


def _fits(sought: Sought, video: Video) -> bool:
    if video.create_time < sought.since - CLOCK_SLACK:
        return False
    shown = [_plain(text) for text in (video.title, video.video_description) if text.strip()]
    return any(_is_shown_as(text, one) for text in sought.texts for one in shown)


def _is_shown_as(text: str, shown: str) -> bool:
    """Whether a text is shown whole, or cut where TikTok cuts."""
    whole = _plain(text)
    if not whole:
        return False
    return whole == shown or (len(shown) >= SHOWN_CHARS - 1 and whole.startswith(shown))


def _plain(text: str) -> str:
    """Return a text without the differences in blanks that TikTok makes."""
    return " ".join(text.split())
