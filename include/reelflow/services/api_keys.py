"""API keys: made once and shown once, checked with every request, taken away at any time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Final

from reelflow.domain.printable import printable
from reelflow.domain.user import Scope, User, check_user_id, parse_scopes, scopes_text
from reelflow.exceptions import ConfigurationError, UnauthenticatedError
from reelflow.ledger import api_keys
from reelflow.ledger.intake_models import NAME_MAX_CHARS, ApiKey
from reelflow.services.workspace import Workspace

_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 6
_TOKEN: Final = re.compile(r"rfk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
#: Compared with where there is no such key, so that an answer's time does not tell.
_NO_DIGEST: Final = "0" * 64


def create_key(
    workspace: Workspace,
    user_id: str,
    name: str,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
    actor: str,
) -> tuple[ApiKey, str]:
    """Make a key.

    :param user_id: whom it stands for; several keys may stand for one user
    :param name: for people who read the list
    :param expires_at: None for a key that works until it is revoked
    :return: its row, and the key itself, which is stored nowhere
    :raises ConfigurationError: the user's id cannot be one, the key would have expired already, or
        it would allow nothing
    """
    now = workspace.ledger.now()
    if expires_at is not None and expires_at <= now:
        raise ConfigurationError(
            f"a key that expired at {expires_at.isoformat()} could never be used: give a time that "
            "is still to come",
            code="key_expires_at",
        )
    if not scopes:
        raise ConfigurationError(
            f"a key without scopes could do nothing: give it some of {', '.join(Scope)}",
            code="scope",
        )
    key_id = secrets.token_hex(_ID_BYTES)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = ApiKey(
        id=key_id,
        user_id=check_user_id(user_id),
        name=printable(name, NAME_MAX_CHARS) or user_id,
        secret_sha256=_digest(secret),
        scopes=scopes_text(scopes),
        created_at=now,
        created_by=actor[:NAME_MAX_CHARS],
        expires_at=expires_at,
    )
    with workspace.ledger.write() as session:
        session.add(row)
    return row, f"rfk_{key_id}_{secret}"


def authenticate_key(workspace: Workspace, token: str) -> User:
    """Return whom a key stands for, and remember that it was used.

    :raises UnauthenticatedError: it is no key, or one that was revoked or has expired
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise _refused()
    key_id, secret = found.groups()
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        row = api_keys.get(session, key_id)
    is_right = hmac.compare_digest(row.secret_sha256 if row else _NO_DIGEST, _digest(secret))
    if row is None or not is_right or not is_valid(row, now):
        raise _refused()
    if row.last_used_at is None or row.last_used_at <= now - api_keys.USE_NOTED_EVERY:
        with workspace.ledger.write() as session:
            api_keys.note_use(session, key_id, now=now)
    return User(id=row.user_id, name=row.user_id, scopes=parse_scopes(row.scopes))


def is_valid(row: ApiKey, now: datetime) -> bool:
    """Whether a key works: neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def revoke_key(workspace: Workspace, key_id: str) -> ApiKey:
    """Take a key away for good; again is harmless.

    :param key_id: its public part
    :raises ConfigurationError: there is no such key
    """
    with workspace.ledger.write() as session:
        row = api_keys.get(session, key_id)
        if row is None:
            raise ConfigurationError(
                f"no key has the id {printable(key_id, 40)!r}: `reelflow keys list` names them",
                code="key_id",
            )
        row.revoked_at = row.revoked_at or workspace.ledger.now()
    return row


def _digest(secret: str) -> str:
    """Return what is stored of a secret: it is random and long, so that a plain hash will do."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError(
        "this API key is unknown, revoked or expired: `reelflow keys create` makes another one"
    )
