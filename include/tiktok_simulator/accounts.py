"""The creators who authorized the simulated app, and what creator_info says of them."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

USERNAMES = ("aurora.kitchen", "north.trail", "paper.moon", "city.loops", "quiet.harbor")
AVATAR_LIFETIME_S = 7200  # D-CI: creator_avatar_url has a TTL of two hours

_NAMESPACE = uuid.UUID("5f0c8a55-6f3b-4a69-9f3c-6d1d0b8e9a11")


@dataclass
class Account:
    """A creator who authorized the app, and the settings creator_info shows (D-CI)."""

    open_id: str
    username: str
    access_token: str
    scopes: tuple[str, ...] = ("video.publish", "video.upload")
    privacy_level_options: tuple[str, ...] = (  # of a public account
        "PUBLIC_TO_EVERYONE",
        "MUTUAL_FOLLOW_FRIENDS",
        "SELF_ONLY",
    )
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int = 600

    def creator_info(self, now_s: float) -> dict[str, Any]:
        """Return the ``data`` of creator_info (D-CI, "Response")."""
        expires = int(now_s) + AVATAR_LIFETIME_S
        return {
            "creator_avatar_url": f"https://p16-sign.tiktokcdn.example/{self.open_id}.jpeg?x-expires={expires}",
            "creator_username": self.username,
            "creator_nickname": self.username.replace(".", " ").title(),
            "privacy_level_options": list(self.privacy_level_options),
            "comment_disabled": self.comment_disabled,
            "duet_disabled": self.duet_disabled,
            "stitch_disabled": self.stitch_disabled,
            "max_video_post_duration_sec": self.max_video_post_duration_sec,
        }


def make_accounts(seed: int | None = None) -> list[Account]:
    """Return the five creators; their open_ids are always the same.

    :param seed: makes the access tokens the same at each start, too.
    """
    return [
        Account(
            open_id=str(uuid.uuid5(_NAMESPACE, username)),
            username=username,
            access_token=f"act.{_token(seed, username)}",
        )
        for username in USERNAMES
    ]


def _token(seed: int | None, username: str) -> str:
    if seed is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"{seed}:{username}".encode()).hexdigest()
