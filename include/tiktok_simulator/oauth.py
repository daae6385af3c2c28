"""The authorization server: codes and the calls that turn them into tokens (D-OA)."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiktok_simulator import grants
from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.authorization import AuthorizationRequest, check_verifier
from tiktok_simulator.exceptions import OAuthError
from tiktok_simulator.redirects import with_query

CODE_LIFETIME_S = 600  # not documented; the most that RFC 6749, 4.1.2, recommends


@dataclass(frozen=True)
class AuthorizationCode:
    """What a code stands for until its one use."""

    account: Account
    scopes: tuple[str, ...]
    redirect_uri: str
    code_challenge: str | None
    expires_at: float


class AuthorizationServer:
    """Gives codes for consents, tokens for codes, tokens for refresh tokens.

    :param now: the world's clock, Unix seconds.
    """

    def __init__(
        self, app: AppSettings, accounts: Sequence[Account], now: Callable[[], float]
    ) -> None:
        self._app = app
        self._accounts = accounts
        self._now = now
        self._codes: dict[str, AuthorizationCode] = {}

    def authorize(
        self, request: AuthorizationRequest, account: Account, scopes: tuple[str, ...]
    ) -> str:
        """Return the callback's URL for a creator's consent.

        :param scopes: what the creator left ticked, maybe not all (D-OA).
        """
        code = f"{secrets.token_urlsafe(48)}*0!{secrets.randbelow(10_000)}"  # must be URL-decoded
        self._codes[code] = AuthorizationCode(
            account=account,
            scopes=scopes,
            redirect_uri=request.back.redirect_uri,
            code_challenge=request.code_challenge,
            expires_at=self._now() + CODE_LIFETIME_S,
        )
        answer = {"code": code, "scopes": ",".join(scopes), "state": request.back.state}
        return with_query(request.back.redirect_uri, answer)

    def answer_token(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token call.

        :raises OAuthError: for a client or a grant that is not good.
        """
        self._check_client(form)
        grant_type = _require(form, "grant_type")
        if grant_type == "authorization_code":
            account = self._exchange(form)
        elif grant_type == "refresh_token":
            account = self._refresh(_require(form, "refresh_token"))
        else:
            raise OAuthError("unsupported_grant_type", f"There is no grant type {grant_type!r}.")
        return grants.token_answer(account, self._now())

    def find_revoked(self, form: Mapping[str, str]) -> Account:
        """Return the account whose grant a revoke call ends.

        :raises OAuthError: also for a token that has expired, as clients report.
        """
        self._check_client(form)
        account = self.find(_require(form, "token"))
        if account is None:
            raise OAuthError("invalid_request", "The token is invalid or has expired.")
        return account

    def find(self, access_token: str) -> Account | None:
        """Return the account of a living access token."""
        for account in self._accounts:
            if grants.holds_access_token(account, access_token, self._now()):
                return account
        return None

    def find_owner(self, form: Mapping[str, str]) -> Account | None:
        """Return the account whose living code or token a call names."""
        if code := self._codes.get(form.get("code", "")):
            return code.account
        refresh_token, now_s = form.get("refresh_token", ""), self._now()
        for account in self._accounts:
            if grants.holds_refresh_token(account, refresh_token, now_s):
                return account
        return self.find(form.get("token", ""))

    def reset(self) -> None:
        """Forget every code."""
        self._codes.clear()

    def _exchange(self, form: Mapping[str, str]) -> Account:
        # A code is spent by the first call that names it, good or bad.
        code = self._codes.pop(_require(form, "code"), None)
        if code is None or self._now() >= code.expires_at:
            raise OAuthError("invalid_grant", "Authorization code is expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError(
                "invalid_request",
                "Redirect_uri is not matched with the uri when requesting code.",
            )
        check_verifier(code.code_challenge, form.get("code_verifier"), self._app.pkce_encoding)
        grants.give(code.account, code.scopes, self._app, self._now())
        return code.account

    def _refresh(self, refresh_token: str) -> Account:
        for account in self._accounts:
            if grants.holds_refresh_token(account, refresh_token, self._now()):
                grants.rotate(account, self._app, self._now())
                return account
        raise OAuthError("invalid_grant", "Refresh token is invalid or expired.")

    def _check_client(self, form: Mapping[str, str]) -> None:
        key, secret = _require(form, "client_key"), _require(form, "client_secret")
        is_key = secrets.compare_digest(key.encode(), self._app.client_key.encode())
        if not is_key or not secrets.compare_digest(
            secret.encode(), self._app.client_secret.encode()
        ):
            raise OAuthError("invalid_client", "Client key or secret is incorrect.")


def _require(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthError("invalid_request", f"The {name} is missing.")
    return value
