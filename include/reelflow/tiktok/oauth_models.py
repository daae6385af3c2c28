"""Values that come from TikTok's OAuth."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConsentCallback:
    """What the consent page sent back with the browser.

    :param code: redeemed once for tokens; never shown
    :param scopes: what the creator granted, which may be less than was asked for
    """

    code: str = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True)
class TokenGrant:
    """Tokens of one account (oauth-user-access-token-management, read 2026-09-11).

    :param open_id: the account, as this app sees it
    :param scopes: what the creator granted, which may be less than was asked for
    :param access_token: never shown
    :param expires_in_s: life of the access token from now on, None where TikTok's answer does not
        say it readably; documented are 24 hours
    :param refresh_token: replaces the one before it; never shown
    :param refresh_expires_in_s: its life from now on, or None; documented are 365 days
    """

    open_id: str
    scopes: frozenset[str]
    access_token: str = field(repr=False)
    expires_in_s: int | None
    refresh_token: str = field(repr=False)
    refresh_expires_in_s: int | None
