"""A creator's grant to the app: its tokens, their ends, their rotation (D-OA)."""

import secrets
from typing import Any

from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import AppSettings


def holds_access_token(account: Account, token: str, now_s: float) -> bool:
    """Whether the token is a living access token of the account."""
    living = {account.access_token: account.access_expires_at, **account.surviving_access_tokens}
    return any(_is(token, one) and _lives(end, now_s) for one, end in living.items())


def holds_refresh_token(account: Account, token: str, now_s: float) -> bool:
    """Whether the token is the account's living refresh token."""
    return _is(token, account.refresh_token) and _lives(account.refresh_expires_at, now_s)


def give(account: Account, scopes: tuple[str, ...], app: AppSettings, now_s: float) -> None:
    """Make a consent the account's one grant; the one before dies with its tokens."""
    withdraw(account)
    account.scopes = scopes
    account.refresh_expires_at = now_s + app.refresh_lifetime_s
    _renew(account, app, now_s)


def rotate(account: Account, app: AppSettings, now_s: float) -> None:
    """Replace both tokens (D-OA: a refresh may return another refresh token; here it always does).

    The old refresh token dies at once, and so does the old access token unless the app settings
    keep it: nothing is documented of either, and this is the stricter reading. The 365 days count
    from the consent, not from the refresh, for the same reason.
    """
    if app.keeps_old_access_token:
        account.surviving_access_tokens[account.access_token] = account.access_expires_at
    if account.refresh_expires_at is None:  # one of the ready line's, which has no end
        account.refresh_expires_at = now_s + app.refresh_lifetime_s
    _renew(account, app, now_s)


def expire_access(account: Account, now_s: float) -> None:
    """Let every access token of the account end now."""
    account.access_expires_at = now_s
    account.surviving_access_tokens = {}


def withdraw(account: Account) -> None:
    """Kill every token of the account."""
    account.access_token = account.refresh_token = ""
    account.access_expires_at = account.refresh_expires_at = None
    account.surviving_access_tokens = {}


def token_answer(account: Account, now_s: float) -> dict[str, Any]:
    """Return the body of a successful token call (D-OA): flat, no ``data``."""
    return {
        "access_token": account.access_token,
        "expires_in": int((account.access_expires_at or now_s) - now_s),
        "open_id": account.open_id,
        "refresh_expires_in": int((account.refresh_expires_at or now_s) - now_s),
        "refresh_token": account.refresh_token,
        "scope": ",".join(account.scopes),
        "token_type": "Bearer",
    }


def _renew(account: Account, app: AppSettings, now_s: float) -> None:
    account.access_token = f"act.{secrets.token_hex(32)}"
    account.refresh_token = f"rft.{secrets.token_hex(32)}"
    account.access_expires_at = now_s + app.access_lifetime_s


def _is(token: str, held: str) -> bool:
    return held != "" and secrets.compare_digest(token.encode(), held.encode())


def _lives(end_s: float | None, now_s: float) -> bool:
    return end_s is None or now_s < end_s
