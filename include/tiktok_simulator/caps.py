"""What the platform lets be published in a day: pure counts over publications."""

from collections.abc import Iterable

from tiktok_simulator.publication import Publication

POSTS_PER_DAY = 15  # D-CSG: direct posts of a creator in 24 hours, "typically"
PENDING_DRAFTS = 5  # D-UP: pending shares in any 24 hours
UNAUDITED_CREATORS = 5  # D-CSG: creators who may post in 24 hours through an app before its audit
DAY_S = 86_400


def count_posts(publications: Iterable[Publication], open_id: str, now_s: float) -> int:
    """Count a creator's direct posts of the last 24 hours; an init without bytes is none."""
    return sum(
        one.open_id == open_id
        and one.kind == "direct"
        and bool(one.post_ids)
        and (one.completed_at or 0) > now_s - DAY_S
        for one in publications
    )


def count_pending_drafts(publications: Iterable[Publication], open_id: str, now_s: float) -> int:
    """Count a creator's drafts of 24 hours that were delivered or whose bytes may still come."""
    return sum(
        one.open_id == open_id and one.kind == "draft" and _is_pending(one, now_s)
        for one in publications
    )


def creators_posting(publications: Iterable[Publication], now_s: float) -> set[str]:
    """Return the open_ids with a direct post begun in the last 24 hours.

    Whether drafts count is unknown; they do not here.
    """
    return {
        one.open_id
        for one in publications
        if one.kind == "direct" and one.fail_reason is None and one.created_at > now_s - DAY_S
    }


def _is_pending(draft: Publication, now_s: float) -> bool:
    if draft.fail_reason is not None or draft.stage == "published":
        return False
    if draft.completed_at is None:
        return now_s < draft.expires_at
    return now_s - draft.completed_at < DAY_S
