"""Every secret of the ledger, encrypted anew with the first of the keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, select, update
from sqlalchemy.sql.elements import KeyedColumnElement

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, Publication
from reelflow.ledger.platform_models import OAuthState

#: All columns that hold secrets.
SECRETS: Final[tuple[KeyedColumnElement[Any], ...]] = (
    Account.__table__.c.access_token_encrypted,
    Account.__table__.c.refresh_token_encrypted,
    Publication.__table__.c.upload_url_encrypted,
    OAuthState.__table__.c.code_verifier_encrypted,
)
_ROWS_AT_ONCE: Final = 500


@dataclass
class Rotation:
    """What became of the secrets, in numbers of them.

    :ivar renewed: encrypted with the first key now
    :ivar current: that were already
    :ivar unreadable: that no key opens; they stay as they are
    """

    renewed: int = 0
    current: int = 0
    unreadable: int = 0


def encrypt_anew(ledger: Ledger) -> Rotation:
    """Encrypt with the first key whatever another of the keys encrypted; safe to run again.

    Some rows at a time, and none that another process writes meanwhile: that is left to it.
    """
    rotation = Rotation()
    for column in SECRETS:
        last: Any = None
        while (last := _encrypt_next(ledger, column, last, rotation)) is not None:
            pass
    return rotation


def _encrypt_next(
    ledger: Ledger, column: KeyedColumnElement[Any], after: Any, rotation: Rotation
) -> Any:
    """Encrypt the next rows of a column; return the last one's key, None where there was none."""
    table = column.table
    assert isinstance(table, Table)
    (key,) = table.primary_key.columns
    query = select(key, column).where(column.is_not(None)).order_by(key).limit(_ROWS_AT_ONCE)
    with ledger.write() as session:
        rows = session.execute(query if after is None else query.where(key > after)).all()
        for of_row, stored in rows:
            renewed = _renewed(ledger.cipher, stored, rotation)
            if renewed is not None:
                same = update(table).where(key == of_row, column == stored).returning(key)
                rotation.renewed += len(session.execute(same.values({column: renewed})).all())
    return rows[-1][0] if rows else None


def _renewed(cipher: Cipher, stored: bytes, rotation: Rotation) -> bytes | None:
    try:
        renewed = cipher.renew(stored, what="a secret")
    except ConfigurationError:
        rotation.unreadable += 1
        return None
    if renewed is None:
        rotation.current += 1
    return renewed
