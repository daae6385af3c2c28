"""One refresh of an account's tokens: claimed, asked of TikTok, and committed before it is used.

A refresh may spend the refresh token, so there is one refresher at a time, and no transaction is
open while TikTok is asked. A refresher that dies between TikTok's answer and the commit takes the
new tokens with it: the next refresh is refused then, the account is revoked, and its posts wait
until it is connected again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from reelflow.exceptions import (
    ReelflowError,
    TikTokRejectedError,
    TikTokUnreachableError,
    TokenGrantRefusedError,
    TransientError,
)
from reelflow.ledger import accounts, token_refresh
from reelflow.ledger.models import Account
from reelflow.services.accounts.revocation import mark_revoked, revoked_error
from reelflow.services.workspace import Workspace
from reelflow.tiktok.oauth import OAuthClient
from reelflow.tiktok.oauth_models import TokenGrant

log = logging.getLogger(__name__)

#: How often tokens that TikTok gave are written, should the ledger be locked or its disk full.
STORE_ATTEMPTS: Final = 3
_STORE_PAUSE_S: Final = 1.0


@dataclass(frozen=True)
class Claim:
    """The right to refresh an account's tokens.

    :param account: as it was when it was claimed
    :param refresh_token: never shown
    :param at: when it was claimed
    :param until: when it lapses by itself
    """

    account: Account
    refresh_token: str = field(repr=False)
    at: datetime
    until: datetime

    @property
    def follows_failure(self) -> bool:
        """Whether an earlier refresh of the same tokens ended without an answer in the ledger."""
        return self.account.refreshing_until is not None


def token_set(grant: TokenGrant, *, granted_at: datetime) -> accounts.TokenSet:
    """Return the tokens of a grant, with their lives counted from when they were asked for.

    An access token whose life is not known is used until TikTok refuses it, and renewed then.
    """

    def end(life_s: int | None) -> datetime | None:
        return None if life_s is None else granted_at + timedelta(seconds=life_s)

    if grant.expires_in_s is None:
        log.warning("TikTok gave tokens without a readable life: they are used until it refuses")
    return accounts.TokenSet(
        access_token=grant.access_token,
        access_token_expires_at=end(grant.expires_in_s),
        refresh_token=grant.refresh_token,
        refresh_token_expires_at=end(grant.refresh_expires_in_s),
        scopes=grant.scopes,
    )


class TokenRefresher:
    """Refreshes tokens of the ledger. Not for several threads.

    :param actor: who asks, for the audit trail
    :param sleep: waits some seconds before tokens are stored again
    """

    def __init__(
        self,
        workspace: Workspace,
        oauth: OAuthClient,
        *,
        actor: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._workspace = workspace
        self._ledger = workspace.ledger
        self._oauth = oauth
        self._actor = actor
        self._sleep = sleep

    def claim(self, account: Account) -> Claim | None:
        """Become the one refresher of an account that has a refresh token.

        :return: None while somebody else is, or when its tokens are others by now
        :raises ConfigurationError: the Fernet key is not the one they were stored with
        """
        refresh_token = accounts.refresh_token(account, self._ledger.cipher)
        assert refresh_token is not None
        now = self._ledger.now()
        until = now + self._workspace.rules.refresh_claim
        with self._ledger.write() as session:
            claimed = token_refresh.claim_refresh(
                session, account.id, token_version=account.token_version, now=now, until=until
            )
        return Claim(account, refresh_token, now, until) if claimed else None

    def refresh(self, claim: Claim, *, pause_after_failure: timedelta = timedelta(0)) -> str:
        """Return a new access token, which is in the ledger by then.

        :param pause_after_failure: for how long nobody is to try again, if it fails
        :raises AccountRevokedError: TikTok refuses the refresh token; the posts are held
        :raises ConfigurationError: it refuses the app's key or secret, which says nothing of the
            account
        :raises TikTokUnreachableError: there was no answer that can be used; nothing was sent of
            the call that the token was for
        """
        try:
            grant = self._oauth.refresh_token(claim.refresh_token)
            _check_same_account(claim.account, grant)
        except TokenGrantRefusedError as exc:
            return self._refused(claim, exc)
        except TransientError as exc:
            self._give_back(claim, pause_after_failure)
            raise TikTokUnreachableError(
                f"the token of account {claim.account.name} cannot be renewed now: {exc}",
                code="token_not_renewed",
                retry_after_s=exc.retry_after_s,
            ) from exc
        except ReelflowError:
            self._give_back(claim, pause_after_failure)
            raise
        if not self._store(claim, token_set(grant, granted_at=claim.at)):
            log.warning(
                "account %s was connected again or revoked while its tokens were refreshed: what "
                "TikTok gave is dropped",
                claim.account.name,
            )
        return self._current(claim)

    def _refused(self, claim: Claim, exc: TokenGrantRefusedError) -> str:
        """Revoke the account, unless somebody else stored tokens that work."""
        why = f"TikTok does not renew its tokens ({exc.code})"
        if claim.follows_failure:
            why += (
                "; an earlier refresh ended without its answer in the ledger, and may have spent "
                "the refresh token"
            )
        mark_revoked(
            self._workspace,
            claim.account.id,
            why=why,
            actor=self._actor,
            token_version=claim.account.token_version,
        )
        return self._current(claim)

    def _give_back(self, claim: Claim, pause: timedelta) -> None:
        # A claim in the past, not none: should the next refresh be refused, this one may be why.
        until = self._ledger.now() + pause
        try:
            with self._ledger.write() as session:
                token_refresh.end_claim(
                    session, claim.account.id, claimed_until=claim.until, until=until
                )
        except TransientError as exc:
            log.warning("the claim to refresh %s lapses by itself: %s", claim.account.name, exc)

    def _store(self, claim: Claim, tokens: accounts.TokenSet) -> bool:
        """Commit new tokens; the old ones may be dead, so a locked ledger is asked again."""
        for attempt in range(1, STORE_ATTEMPTS + 1):
            try:
                with self._ledger.write() as session:
                    return token_refresh.store_refreshed(
                        session,
                        self._ledger.cipher,
                        claim.account.id,
                        tokens,
                        token_version=claim.account.token_version,
                        now=self._ledger.now(),
                    )
            except TransientError as exc:
                if attempt == STORE_ATTEMPTS:
                    raise
                log.error("new tokens of %s cannot be stored yet: %s", claim.account.name, exc)
                self._sleep(_STORE_PAUSE_S)
        raise AssertionError("unreachable")

    def _current(self, claim: Claim) -> str:
        """Return the access token that the ledger has now."""
        with self._ledger.read() as session:
            account = accounts.get(session, claim.account.id)
        if account.revoked:
            raise revoked_error(account)
        return accounts.access_token(account, self._ledger.cipher)


def _check_same_account(account: Account, grant: TokenGrant) -> None:
    """Never post to an account that only looks like the one that was asked for."""
    if grant.open_id != account.open_id:
        raise TikTokRejectedError(
            f"TikTok answered the refresh of account {account.name} with tokens of another account:"
            f" they are not stored; connect it again with `reelflow accounts connect "
            f"{account.name}`",
            code="open_id_mismatch",
        )
