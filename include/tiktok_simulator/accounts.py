"""The creators who authorized the simulated app, and what creator_info says of them."""

import copy
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field, fields
from typing import Any

from tiktok_simulator.app_settings import SCOPES

USERNAMES = ("aurora.kitchen", "north.trail", "paper.moon", "city.loops", "quiet.harbor")
MAX_ACCOUNTS = 1000
AVATAR_LIFETIME_S = 7200  # D-CI: creator_avatar_url has a TTL of two hours

PUBLIC_OPTIONS = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
PRIVATE_OPTIONS = ("FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")

_NAMESPACE = uuid.UUID("5f0c8a55-6f3b-4a69-9f3c-6d1d0b8e9a11")


@dataclass
class Account:
    """A creator, the settings creator_info shows (D-CI), and the app's one grant (D-OA).

    A creator's new consent replaces the grant: the tokens of the one before die.

    :param access_token: "" when the creator has not authorized the app.
    :param refresh_token: "" likewise; rotated at every refresh.
    :param scopes: what the grant covers.
    :param access_expires_at: Unix seconds; None: never, so that a test's clock may run.
    :param refresh_expires_at: Unix seconds; None: never.
    :param surviving_access_tokens: older ones that live on, with their ends in Unix seconds.
    :param is_private: a private account offers other privacy levels, and neither duet nor stitch.
    :param blocked_code: why the creator cannot post now, in place of creator_info's data (D-CI:
        HTTP 200; the init calls answer it with 403).
    """

    open_id: str
    username: str
    access_token: str
    refresh_token: str = ""
    scopes: tuple[str, ...] = SCOPES
    access_expires_at: float | None = None
    refresh_expires_at: float | None = None
    surviving_access_tokens: dict[str, float | None] = field(default_factory=dict)
    is_private: bool = False
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int = 600
    blocked_code: str | None = None

    @property
    def nickname(self) -> str:
        """The display name."""
        return self.username.replace(".", " ").title()

    @property
    def union_id(self) -> str:
        """The id that all apps of one developer share (D-UI)."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.username}:union"))

    def avatar_url(self, now_s: float) -> str:
        """Return a picture's URL that ends after two hours."""
        expires = int(now_s) + AVATAR_LIFETIME_S
        return f"https://p16-sign.tiktokcdn.example/{self.open_id}.jpeg?x-expires={expires}"

    @property
    def privacy_level_options(self) -> tuple[str, ...]:
        """The levels creator_info offers (D-CI): they do not depend on the app's audit."""
        return PRIVATE_OPTIONS if self.is_private else PUBLIC_OPTIONS

    def restore(self, earlier: "Account") -> None:
        """Become again what a copy of this account remembers."""
        for one in fields(self):
            setattr(self, one.name, copy.copy(getattr(earlier, one.name)))

    def creator_info(self, now_s: float) -> dict[str, Any]:
        """Return the ``data`` of creator_info (D-CI, "Response")."""
        return {
            "creator_avatar_url": self.avatar_url(now_s),
            "creator_username": self.username,
            "creator_nickname": self.nickname,
            "privacy_level_options": list(self.privacy_level_options),
            "comment_disabled": self.comment_disabled,
            "duet_disabled": self.duet_disabled or self.is_private,
            "stitch_disabled": self.stitch_disabled or self.is_private,
            "max_video_post_duration_sec": self.max_video_post_duration_sec,
        }


def make_accounts(seed: int | None = None, *, count: int = len(USERNAMES)) -> list[Account]:
    """Return the creators; their open_ids are always the same.

    :param seed: makes the tokens the same at each start, too.
    :param count: how many; those after the fifth are called ``creator.6`` and so on.
    """
    further = (f"creator.{number}" for number in range(len(USERNAMES) + 1, count + 1))
    return [
        Account(
            open_id=str(uuid.uuid5(_NAMESPACE, username)),
            username=username,
            access_token=f"act.{_token(seed, username)}",
            refresh_token=f"rft.{_token(seed, f'{username}:refresh')}",
        )
        for username in (*USERNAMES[:count], *further)
    ]


def _token(seed: int | None, name: str) -> str:
    if seed is None:
        return secrets.token_hex(32)
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
