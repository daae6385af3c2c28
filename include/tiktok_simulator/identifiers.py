"""Identifiers in the shapes of production (observed)."""

import secrets

from tiktok_simulator.publication import Kind, Media

# By media, mode and whether it is a pull: what clients read from a publish_id.
_PREFIXES = {
    ("video", "direct", False): "v_pub_file~v2-1.",
    ("video", "direct", True): "v_pub_url~v2-1.",
    ("video", "draft", False): "v_inbox_file~v2.",
    ("video", "draft", True): "v_inbox_url~v2.",
    ("photo", "direct", True): "p_pub_url~v2.",
    ("photo", "draft", True): "p_inbox_url~v2.",
}


def new_id(now_s: float) -> int:
    """Return 19 digits that order by time: Unix second << 32, and unlike any float64."""
    number = (int(now_s) << 32) | secrets.randbits(32)
    return number if int(float(number)) != number else number + 1


def new_publish_id(now_s: float, media: Media, kind: Kind, *, is_pull: bool) -> str:
    """Return a publish_id, at most 64 characters (D-DP)."""
    return f"{_PREFIXES[media, kind, is_pull]}{new_id(now_s)}"
