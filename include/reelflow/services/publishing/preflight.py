"""What stands in the way of a post before its init, by its own fields and its creator's limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reelflow.domain.post import Interaction, PostKind, PrivacyLevel
from reelflow.domain.sidecar import (
    CAPTION_MAX_UTF16_UNITS,
    PHOTO_CAPTION_MAX_UTF16_UNITS,
    PHOTO_TITLE_MAX_UTF16_UNITS,
    utf16_units,
)
from reelflow.ledger.models import Post
from reelflow.tiktok.models import CreatorInfo

NO_PRIVACY: Final = "no_privacy"
PRIVACY_NOT_OFFERED: Final = "privacy_not_offered"
PRIVATE_BRANDED_CONTENT: Final = "private_branded_content"
INTERACTION_OFF: Final = "interaction_off"
TEXT_TOO_LONG: Final = "text_too_long"
LONGER_THAN_CREATOR_MAY: Final = "longer_than_creator_may"

_PLURAL: Final = {
    Interaction.COMMENT: "comments",
    Interaction.DUET: "duets",
    Interaction.STITCH: "stitches",
}


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
    return (
        _interaction_obstacle(post, creator)
        or _text_obstacle(post)
        or _duration_obstacle(post, creator)
    )


def _interaction_obstacle(post: Post, creator: CreatorInfo) -> Obstacle | None:
    """Find what the post asked to allow by name and its creator does not.

    A post that asked for nothing takes what the creator's settings are: a private account never
    allows duets and stitches, and TikTok takes them away by itself
    (content-posting-api-reference-query-creator-info).
    """
    is_off = {
        Interaction.COMMENT: creator.comment_disabled,
        Interaction.DUET: creator.duet_disabled and post.kind is PostKind.VIDEO,
        Interaction.STITCH: creator.stitch_disabled and post.kind is PostKind.VIDEO,
    }
    for name in (post.wanted_interactions or "").split(","):
        if name and is_off[Interaction(name)]:
            return Obstacle(
                code=INTERACTION_OFF,
                why=f"the post asks to allow {_PLURAL[Interaction(name)]}, which "
                f"{post.account.name} has switched off.",
                fix="switch them on in the TikTok app, or go without: `reelflow posts release "
                f"{post.id} --disable-{name}`",
            )
    return None


def _text_obstacle(post: Post) -> Obstacle | None:
    """Measure the texts once more: not only the sidecar, which is checked, writes them."""
    is_photo = post.kind is PostKind.PHOTO
    longest = PHOTO_CAPTION_MAX_UTF16_UNITS if is_photo else CAPTION_MAX_UTF16_UNITS
    for name, text, limit in (
        ("caption", post.caption, longest),
        ("title", post.title or "", PHOTO_TITLE_MAX_UTF16_UNITS),
    ):
        units = utf16_units(text)
        if units > limit:
            return Obstacle(
                code=TEXT_TOO_LONG,
                why=f"its {name} has {units} UTF-16 units, TikTok takes {limit}.",
                fix=f"put it into the inbox again with a shorter {name}",
            )
    return None


def _duration_obstacle(post: Post, creator: CreatorInfo) -> Obstacle | None:
    account = post.account.name
    duration_s = post.media.duration_s or 0.0  # photos have none
    longest_s = creator.max_video_post_duration_sec
    if duration_s > longest_s:
        return Obstacle(
            code=LONGER_THAN_CREATOR_MAY,
            why=f"the video has {duration_s:.1f} s and {account} may post at most {longest_s} s.",
            fix=f"cut the video and cancel this post: `reelflow posts cancel {post.id}`",
        )
    return None
