"""Connections that a browser was sent away for: each is found by its state, once, in time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from reelflow.domain.post import PrivacyLevel
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.platform_models import OAuthState


@dataclass(frozen=True)
class PendingConnection:
    """What must be known when the browser comes back.

    :param account_name: the account's name and inbox folder
    :param redirect_uri: where the browser comes back to; the token call repeats it
    :param code_verifier: of PKCE; never shown
    :param inbox_privacy_level: for inbox files without one of their own; None leaves it as it is
    """

    account_name: str
    redirect_uri: str
    code_verifier: str = field(repr=False)
    inbox_privacy_level: PrivacyLevel | None = None


def remember(
    session: Session,
    cipher: Cipher,
    state: str,
    pending: PendingConnection,
    *,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep a connection under its state, and forget those that nobody finished in time.

    :param state: what the consent page gives back; only its hash is stored, so that nobody who
        reads the table can finish the connection
    """
    session.execute(delete(OAuthState).where(OAuthState.expires_at <= now))
    digest = _digest(state)
    session.add(
        OAuthState(
            state_sha256=digest,
            code_verifier_encrypted=cipher.encrypt(
                pending.code_verifier, bound_to=_verifier_of(digest)
            ),
            redirect_uri=pending.redirect_uri,
            account_name=pending.account_name,
            inbox_privacy_level=pending.inbox_privacy_level,
            expires_at=expires_at,
        )
    )


def take(
    session: Session, cipher: Cipher, state: str, *, now: datetime
) -> PendingConnection | None:
    """Return the connection of a state and forget it.

    :return: None when there is none: never begun, finished already, or out of time
    :raises ConfigurationError: the Fernet key is not the one it was stored with
    """
    row = session.get(OAuthState, _digest(state), with_for_update=True)
    if row is None:
        return None
    session.delete(row)
    if row.expires_at <= now:
        return None
    level = row.inbox_privacy_level
    return PendingConnection(
        account_name=row.account_name,
        redirect_uri=row.redirect_uri,
        code_verifier=cipher.decrypt(
            row.code_verifier_encrypted,
            bound_to=_verifier_of(row.state_sha256),
            what=f"the PKCE verifier for account {row.account_name}",
        ),
        inbox_privacy_level=None if level is None else PrivacyLevel(level),
    )


def _verifier_of(state_sha256: str) -> str:
    return f"code_verifier {state_sha256}"


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
