"""Whether ledger and simulator agree: each file once at TikTok, byte for byte, and none lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reelflow.domain.post import DONE, PostState
from tests.proof.ledger import LedgerPost
from tests.proof.videos import Video

_NO_EXCEPTIONS: Final[Mapping[str, PostState]] = {}

Delivered = Mapping[str, Any]


def disagreements(
    videos: Sequence[Video],
    posts: Sequence[LedgerPost],
    simulator: Mapping[str, Any],
    *,
    otherwise: Mapping[str, PostState] = _NO_EXCEPTIONS,
) -> list[str]:
    """Return a sentence for each thing that is not as it must be.

    :param videos: every file that was put into an inbox
    :param posts: every post of the ledger
    :param simulator: the answer of its ``/_sim/posts``
    :param otherwise: in which state the posts of some files end, by name; all others are published
    """
    by_file: defaultdict[tuple[str, str], list[LedgerPost]] = defaultdict(list)
    for post in posts:
        by_file[post.account, post.file_name].append(post)
    delivered: defaultdict[str, list[Delivered]] = defaultdict(list)
    for one in [*simulator["posts"], *simulator["drafts"]]:
        delivered[one["sha256"]].append(one)

    found = []
    for video in videos:
        own = by_file.pop((video.account, video.file_name), [])
        at_tiktok = delivered.pop(video.sha256, [])
        wanted = otherwise.get(video.file_name, PostState.PUBLISHED)
        found += [f"{video.file_name}: {what}" for what in _of(video, own, at_tiktok, wanted)]
    found += [f"{name} of {account} is nobody's file" for account, name in by_file]
    found += [f"TikTok has bytes of no file: {sha256}" for sha256 in delivered]
    if simulator["duplicates"]:
        found.append(f"the simulator counts {simulator['duplicates']} duplicates")
    return found


def _of(
    video: Video, posts: Sequence[LedgerPost], at_tiktok: Sequence[Delivered], wanted: PostState
) -> list[str]:
    """Judge one file."""
    if len(posts) != 1:
        return [f"the ledger has {len(posts)} posts of it"]
    [post] = posts
    if post.state is not wanted:
        return [f"post {post.id} is {post.state}, not {wanted}: {post.reason}"]
    if wanted not in DONE:
        return [f"it is {wanted}, and {len(at_tiktok)} times at TikTok"] if at_tiktok else []
    if len(at_tiktok) != 1:
        return [f"it is {len(at_tiktok)} times at TikTok"]
    return _differences(video, post, at_tiktok[0])


def _differences(video: Video, post: LedgerPost, delivered: Delivered) -> list[str]:
    pairs = {
        "bytes": (video.size_bytes, delivered["bytes"]),
        "open_id": (post.open_id, delivered["open_id"]),
        "publish_id": (post.publish_id, delivered["publish_id"]),
        "post_id": (post.tiktok_post_id, delivered["post_id"]),
    }
    found = [f"{name} is {ours} here and {theirs} there" for name, (ours, theirs) in pairs.items()
             if ours != theirs]  # fmt: skip
    if not post.is_closed:
        found.append(f"post {post.id} is published, and not announced or its source still kept")
    return found
