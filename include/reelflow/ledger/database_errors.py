"""What the database's errors mean: SQLite says it in words, PostgreSQL by SQLSTATE."""

from __future__ import annotations

from typing import Final, NoReturn

from sqlalchemy.exc import DBAPIError, OperationalError

from reelflow.exceptions import (
    ConfigurationError,
    LedgerLockedError,
    LedgerNotMigratedError,
    StorageFullError,
)

_NOT_MIGRATED: Final = ("no such table", "no such column", "has no column named")
_UNDEFINED: Final = frozenset({"42P01", "42703"})  # undefined_table, undefined_column
_DUPLICATE_TABLE: Final = "42P07"
_DISK_FULL: Final = "53100"
_READ_ONLY: Final = "25006"  # read_only_sql_transaction: a standby, before or after a failover


def raise_clearly(exc: DBAPIError, *, where: str, revision: str) -> NoReturn:
    """Raise what an error of the database means, without any value that was stored or sent.

    :param where: the database's URL, without its password
    :param revision: the schema revision that this version of the code needs
    :raises LedgerLockedError: the database stayed locked, or cannot be reached or written to
    :raises LedgerNotMigratedError: a table or column is missing
    :raises StorageFullError: no room is left for the database
    :raises ConfigurationError: the database is damaged, or somebody else's
    :raises DBAPIError: anything else
    """
    _forget_values(exc)
    cause = " ".join(str(exc.orig).split())
    said = cause if isinstance(exc, OperationalError) else ""
    sqlstate = getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "pgcode", None)
    if sqlstate in _UNDEFINED or any(words in said for words in _NOT_MIGRATED):
        raise LedgerNotMigratedError(
            f"the ledger {where} is not at revision {revision} ({cause}): run `reelflow db upgrade`"
        ) from exc
    if sqlstate == _DISK_FULL or "disk is full" in said:
        raise StorageFullError(
            f"the ledger {where} cannot be written ({cause}): make room on its disk; the post is "
            "kept for the next run",
            code="ledger_full",
        ) from exc
    if sqlstate == _DUPLICATE_TABLE or "already exists" in said:
        raise ConfigurationError(
            f"the database {where} holds tables of something else ({cause}): point "
            "REELFLOW_DATABASE_URL at a database of Reelflow's own",
            code="ledger_foreign",
        ) from exc
    if "file is not a database" in cause or "malformed" in cause:
        raise ConfigurationError(
            f"the ledger {where} is damaged or not a database ({cause}): put a backup in its "
            "place, or point REELFLOW_DATABASE_URL at the right file",
            code="ledger_damaged",
        ) from exc
    if exc.connection_invalidated:
        raise LedgerLockedError(
            f"the connection to the ledger {where} broke ({cause}): its last change may or may not "
            "have been kept; what comes next looks first",
            retry_after_s=5,
        ) from exc
    if isinstance(exc, OperationalError) or sqlstate == _READ_ONLY:
        raise LedgerLockedError(
            f"the ledger {where} could not be used ({cause}): another process holds it, or it "
            "cannot be reached or written to; nothing was changed",
            retry_after_s=5,
        ) from exc
    raise exc


def _forget_values(exc: DBAPIError) -> None:
    """Cut an error down to its first sentence: PostgreSQL's details quote whole rows."""
    diagnosis = getattr(exc.orig, "diag", None)
    sentence = getattr(diagnosis, "message_primary", None)
    if sentence and exc.orig is not None:
        whole = str(exc.orig)
        exc.args = tuple(str(part).replace(whole, sentence) for part in exc.args)
        exc.orig.args = (sentence,)
