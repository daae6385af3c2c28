"""What is asked of TikTok right before an init: may this account post this, now?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reelflow.domain.post import PrivacyLevel
from reelflow.ledger.models import Post
from reelflow.tiktok.models import CreatorInfo

NO_PRIVACY: Final = "no_privacy"
PRIVACY_NOT_OFFERED: Final = "privacy_not_offered"
PRIVATE_BRANDED_CONTENT: Final = "private_branded_content"


@dataclass(frozen=True)
class Obstacle:
    """Why a post cannot go out as it was written; a person must act.

    :param code: stable slug
    """

    code: str
    why: str
    fix: str


def find_obstacle(post: Post, creator: CreatorInfo) -> Obstacle | None:
    """Compare a direct post with what its creator may post right now.

    Values are never changed silently: what does not fit any more is for a person to decide
    (content-sharing-guidelines, content-posting-api-reference-query-creator-info).
    """
    account = post.account.name
    if post.privacy_level not in creator.privacy_level_options:
        offered = ", ".join(creator.privacy_level_options) or "none"
        return Obstacle(
            code=PRIVACY_NOT_OFFERED,
            why=f"{account} does not offer the privacy level {post.privacy_level} now "
            f"(offered: {offered}).",
            fix=f"choose one of them: `reelflow posts release {post.id} --privacy LEVEL`",
        )
    if post.brand_content_toggle and post.privacy_level == PrivacyLevel.SELF_ONLY:
        # Not only the sidecar chooses a level: an account's inbox and `posts release` do too.
        return Obstacle(
            code=PRIVATE_BRANDED_CONTENT,
            why="branded content may not be SELF_ONLY.",
            fix=f"choose another level: `reelflow posts release {post.id} --privacy LEVEL`",
        )
    duration_s = post.media.duration_s or 0.0
    longest_s = creator.max_video_post_duration_sec
    if duration_s > longest_s:
        return Obstacle(
            code="longer_than_creator_may",
            why=f"the video has {duration_s:.1f} s and {account} may post at most {longest_s} s.",
            fix=f"cut the video and cancel this post: `reelflow posts cancel {post.id}`",
        )
    return None
