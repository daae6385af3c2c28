"""Access tokens that work: renewed before they expire, or when TikTok refuses them."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Final

from reelflow.exceptions import (
    AccountRevokedError,
    ConfigurationError,
    ReelflowError,
    TikTokUnreachableError,
)
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.accounts.refreshing import TokenRefresher
from reelflow.services.accounts.revocation import mark_revoked, revoked_error
from reelflow.services.workspace import Workspace
from reelflow.tiktok.oauth import OAuthClient

log = logging.getLogger(__name__)

#: An access token is refreshed when less of its life is left; documented lives are 24 hours
#: (oauth-user-access-token-management, read 2026-09-11).
REFRESH_AHEAD: Final = timedelta(minutes=10)
#: Pause after a refresh that failed while the token it was to replace still lives.
AHEAD_RETRY: Final = timedelta(seconds=30)
_POLL_S: Final = 0.1
_DEAD_TOKEN: Final = "invalid_request"  # noqa: S105 - how TikTok refuses to revoke a dead one
_UNRENEWABLE: Final = (
    "its access token has expired or is refused, and there is no refresh token to renew it with"
)


class AccessTokens:
    """The access tokens of the ledger's accounts. Not for several threads.

    :param oauth: renews them; None where the app's key and secret are not known, and then tokens
        are used as they are, as long as they live
    :param actor: who asks, for the audit trail
    """

    def __init__(self, workspace: Workspace, oauth: OAuthClient | None, *, actor: str) -> None:
        self._workspace = workspace
        self._ledger = workspace.ledger
        self._oauth = oauth
        self._actor = actor
        self._refresher = TokenRefresher(workspace, oauth, actor=actor) if oauth else None

    def get(self, account_id: int) -> str:
        """Return a token that is believed to work; never log it.

        One whose end is not known, because it was added by hand, is returned as it is.

        :raises AccountRevokedError: the account must be connected again; its posts are held
        :raises ConfigurationError: it must be renewed, and the app's key or secret is missing or
            refused; or the Fernet key is another one
        :raises TikTokUnreachableError: it has expired and cannot be renewed now; the call that
            it was for was not sent
        """
        account = self._account(account_id)
        token = accounts.access_token(account, self._ledger.cipher)
        expires_at, now = account.access_token_expires_at, self._ledger.now()
        if expires_at is None or expires_at > now + REFRESH_AHEAD:
            return token
        if expires_at <= now:
            return self._renewed(account)
        return self._renewed_ahead(account, token)

    def renew(self, account_id: int, refused_token: str) -> str:
        """Return another token than the one that TikTok refused.

        Errors are those of :meth:`get`.
        """
        account = self._account(account_id)
        token = accounts.access_token(account, self._ledger.cipher)
        return token if token != refused_token else self._renewed(account)

    def refresh(self, account_id: int) -> str:
        """Return a new token, however long the old one would still live.

        Errors are those of :meth:`get`.

        :raises ConfigurationError: besides, there is no refresh token; the account stays as it is
        """
        account = self._account(account_id)
        if account.refresh_token_encrypted is None:
            raise ConfigurationError(
                f"account {account.name} was added by hand and has no refresh token, so nothing "
                f"renews its access token: connect it with `reelflow accounts connect "
                f"{account.name}`",
                code="no_refresh_token",
            )
        return self._renewed(account)

    def revoke(self, account_id: int, *, why: str) -> list[int]:
        """Give the access up at TikTok, then mark the account revoked and hold its posts.

        :return: the ids of the posts that are held now
        :raises ReelflowError: TikTok did not take it back; nothing was changed here
        """
        oauth, account = self._oauth, self._account(account_id)
        if oauth is None:
            raise _no_app(account)
        token = self.get(account_id)
        try:
            oauth.revoke_token(token)
        except ConfigurationError as exc:
            if exc.code != _DEAD_TOKEN:
                raise
            if account.refresh_token_encrypted is not None:
                oauth.revoke_token(self.renew(account_id, token))
        return mark_revoked(self._workspace, account_id, why=why, actor=self._actor)

    def _account(self, account_id: int) -> Account:
        with self._ledger.read() as session:
            account = accounts.get(session, account_id)
        if account.revoked:
            raise revoked_error(account)
        return account

    def _renewed_ahead(self, account: Account, token: str) -> str:
        """Renew a token that still lives; what hinders it is no reason not to use that one."""
        if account.refresh_token_encrypted is None or self._refresher is None:
            return token
        try:
            claim = self._refresher.claim(account)
            if claim is None:
                return token  # somebody renews it, or could not a moment ago
            return self._refresher.refresh(claim, pause_after_failure=AHEAD_RETRY)
        except AccountRevokedError:
            raise
        except ReelflowError as exc:
            log.warning("the token of account %s is still used: %s", account.name, exc)
            return token

    def _renewed(self, account: Account) -> str:
        """Renew a token that is of no more use, or wait for whoever does."""
        if account.refresh_token_encrypted is None:
            return self._end(account)
        if self._refresher is None:
            raise _no_app(account)
        wait_s = self._workspace.rules.refresh_patience.total_seconds()
        ends_at = time.monotonic() + wait_s
        current = account
        while current.token_version == account.token_version:
            claim = self._refresher.claim(current)
            if claim is not None:
                return self._refresher.refresh(claim)
            if time.monotonic() >= ends_at:
                raise TikTokUnreachableError(
                    f"the token of account {account.name} is being renewed by another process "
                    f"for {wait_s:.0f} s already: try again later",
                    code="token_refresh_busy",
                    retry_after_s=30,
                )
            time.sleep(_POLL_S)
            current = self._account(account.id)
        return accounts.access_token(current, self._ledger.cipher)

    def _end(self, account: Account) -> str:
        """Mark an account revoked whose token nothing renews, unless it has another by now."""
        mark_revoked(
            self._workspace,
            account.id,
            why=_UNRENEWABLE,
            actor=self._actor,
            token_version=account.token_version,
        )
        return accounts.access_token(self._account(account.id), self._ledger.cipher)


def _no_app(account: Account) -> ConfigurationError:
    return ConfigurationError(
        f"TikTok must be asked about the tokens of account {account.name}, but the app's client "
        "key and secret are not known: set them as login and password of the connection tiktok_app",
        code="tiktok_app",
    )
