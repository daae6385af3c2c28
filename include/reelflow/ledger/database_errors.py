"""What the database's errors mean: SQLite says it in words, PostgreSQL by SQLSTATE."""

from __future__ import annotations

import os
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
_NO_PERMISSION: Final = "42501"  # insufficient_privilege
_HELD: Final = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected
_READ_ONLY: Final = "25006"  # read_only_sql_transaction: a standby, before or after a failover


def raise_clearly(exc: DBAPIError, *, where: str, revision: str) -> NoReturn:
    """Raise what an error of the database means, without any value that was stored or sent.

    :param where: the database's URL, without its password
    :param revision: the schema revision that this version of the code needs
    :raises LedgerLockedError: the database stayed locked, or cannot be reached or written to
    :raises LedgerNotMigratedError: a table or column is missing
    :raises StorageFullError: no room is left for the database
    :raises ConfigurationError: the database is damaged or somebody else's, or its user lacks rights
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
    if sqlstate == _NO_PERMISSION:
        raise ConfigurationError(
            f"the user of the ledger {where} may not do this ({cause}): connect as its owner, who "
            "ran `reelflow db upgrade`, or let the owner GRANT it USAGE on the schema and on the "
            "sequences, and SELECT, INSERT, UPDATE and DELETE on the tables",
            code="ledger_permission",
        ) from exc
    if is_read_only(exc.orig):
        raise read_only(where, cause) from exc
    if isinstance(exc, OperationalError) or sqlstate == _READ_ONLY:
        raise LedgerLockedError(
            f"the ledger {where} {_obstacle(exc, cause, sqlstate)}; nothing was changed",
            retry_after_s=5,
        ) from exc
    raise exc


def is_read_only(error: object) -> bool:
    """Whether an error of SQLite's driver says that its file may not be written."""
    return _sqlite_name(error).startswith("SQLITE_READONLY")


def read_only(where: str, cause: str) -> LedgerLockedError:
    """Return the error of a file that this process may not write, with what a person does."""
    return LedgerLockedError(
        f"the ledger {where} is read-only for this process ({cause}): let user {os.geteuid()} "
        "write to the file and to its folder, where SQLite keeps two more beside it, and see that "
        "its disk is not mounted read-only; nothing was changed",
        retry_after_s=5,
    )


def _obstacle(exc: DBAPIError, cause: str, sqlstate: str | None) -> str:
    """Return what stands in the way for now, and what ends it."""
    name = _sqlite_name(exc.orig)
    if sqlstate == _READ_ONLY:
        return (
            f"takes no writes now ({cause}): it is a standby. If it stays one, point "
            "REELFLOW_DATABASE_URL at the primary"
        )
    if sqlstate in _HELD or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"is held by another process ({cause}): try again, it lets go within seconds"
    if name.startswith("SQLITE_CANTOPEN"):
        return (
            f"cannot be opened ({cause}): see that it is a file, and that user {os.geteuid()} may "
            "read and write it and its folder"
        )
    return (
        f"cannot be used ({cause}): see that its server or disk works and that "
        "REELFLOW_DATABASE_URL names the right one"
    )


def _sqlite_name(error: object) -> str:
    """Return SQLite's name of an error, such as SQLITE_BUSY; empty for every other database's."""
    return str(getattr(error, "sqlite_errorname", ""))


def _forget_values(exc: DBAPIError) -> None:
    """Cut an error down to its first sentence: PostgreSQL's details quote whole rows."""
    diagnosis = getattr(exc.orig, "diag", None)
    sentence = getattr(diagnosis, "message_primary", None)
    if sentence and exc.orig is not None:
        whole = str(exc.orig)
        exc.args = tuple(str(part).replace(whole, sentence) for part in exc.args)
        exc.orig.args = (sentence,)
