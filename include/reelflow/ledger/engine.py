"""Opening the ledger's database, its transactions, and its schema revision."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from weakref import WeakSet

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, Pool, QueuePool

from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.ledger.database_errors import is_read_only, raise_clearly, read_only

#: The schema revision that this version of the code needs.
REVISION: Final = "0010"
#: How long a writer waits for a lock before it gives up: a lease must notice that its time is over.
LOCK_TIMEOUT_S: Final = 30
#: What libpq is told unless the URL says otherwise: a server behind a cut cable answers nobody, and
#: without these a process would wait for it for a quarter of an hour.
_POSTGRESQL_TIMEOUTS: Final = {
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 30_000,  # milliseconds
    "keepalives_idle": 30,  # seconds
}

#: Threads beyond the first few open connections of their own, and wait for nobody's.
_POOL: Final[dict[str, Any]] = {"poolclass": QueuePool, "pool_size": 8, "max_overflow": -1}
_keeping: WeakSet[Engine] = WeakSet()
#: Pools of the process that this one was forked from: closing what is in them is not ours.
_left: list[Pool] = []

_WRITES: Final = "reelflow_writes"
#: The lock of whoever upgrades a PostgreSQL ledger; any number that nothing else uses.
UPGRADE_LOCK: Final = 0x7265656C666C6F77


def open_engine(
    database_url: str, *, lock_timeout_s: int = LOCK_TIMEOUT_S, keeps_connections: bool = False
) -> Engine:
    """Open the database of the ledger; nothing is connected yet, and no file is ever made here.

    SQLite runs in WAL mode with ``synchronous=FULL``: a COMMITTING that a power cut undid would
    make a second init look safe.

    :param lock_timeout_s: how long a writer waits for another; 0 waits not at all
    :param keeps_connections: for whoever asks more than once or twice; what opening one costs is
        most of what a short question does. A forked process opens its own
    :raises ConfigurationError: the URL is malformed or its driver is not installed
    """
    try:
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite":
            url = _sqlite_file(url)
        pool = _POOL if keeps_connections else {"poolclass": NullPool}
        # Parameters stay out of error messages: captions and encrypted tokens are among them.
        engine = create_engine(
            url, hide_parameters=True, connect_args=_connect_arguments(url), **pool
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as exc:
        # What a parser says may quote the URL, and with it the password.
        why = str(exc) if isinstance(exc, NoSuchModuleError | ModuleNotFoundError) else "malformed"
        raise ConfigurationError(
            f"REELFLOW_DATABASE_URL cannot be used ({why}): it looks like sqlite:////path/to/file "
            "or postgresql+psycopg://user@host/database, with that driver installed",
            code="database_url",
        ) from None
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine, lock_timeout_s)
    elif engine.dialect.name == "postgresql":
        _configure_postgresql(engine, lock_timeout_s)
    if keeps_connections:
        _keeping.add(engine)
    return engine


def _leave_connections() -> None:
    """Leave what was open before a fork to the process that opened it."""
    for engine in list(_keeping):
        _left.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_leave_connections)


def _sqlite_file(url: URL) -> URL:
    """Return the URL of a real file, which may not exist yet."""
    if url.database in (None, "", ":memory:") or "uri" in url.query:
        raise ConfigurationError(
            "REELFLOW_DATABASE_URL names no file, and a ledger in memory forgets what it must "
            "never forget: use sqlite:////path/to/file",
            code="database_url",
        )
    return url.set(database=str(Path(str(url.database)).expanduser()))


def _connect_arguments(url: URL) -> dict[str, Any]:
    if url.drivername not in ("postgresql+psycopg", "postgresql+psycopg2", "postgresql"):
        return {}
    timeouts = {
        name: value for name, value in _POSTGRESQL_TIMEOUTS.items() if name not in url.query
    }
    return {**timeouts, "autocommit": True}  # BEGIN is ours, see below


def _configure_sqlite(engine: Engine, lock_timeout_s: int) -> None:
    @event.listens_for(engine, "do_connect")
    def _open(dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return dialect.connect(_address(Path(arguments[0]).absolute()), **options, uri=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, see below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {lock_timeout_s * 1000}")
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_read_only(exc):  # what cannot be written can still be read
                raise
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: a read that turns into a write would fail with
        # "database is locked" without waiting when somebody else wrote in between.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _address(file: Path) -> str:
    """Return how SQLite is told to open a file, which it would make if it were not there."""
    address = f"file://{quote(str(file))}"
    if os.access(file.parent, os.W_OK) or Path(f"{file}-wal").exists():
        return f"{address}?mode=rw"
    # Reading, too, needs the files that SQLite keeps beside it, and here it cannot make them. That
    # they are not there says that nobody has it open, so that it can be read as it lies there.
    return f"{address}?mode=ro&immutable=1"


def _configure_postgresql(engine: Engine, lock_timeout_s: int) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # In one message with BEGIN, which the driver would send by itself in one of its own.
        # LOCAL, so that a pooler between us and the server passes nothing on to anybody else.
        # Compiling a query takes longer than any of ours does.
        settings = "BEGIN; SET LOCAL jit = off"
        if connection.get_execution_options().get(_WRITES, False):
            # 0 would be no limit at all.
            settings += f"; SET LOCAL lock_timeout = {max(1, lock_timeout_s * 1000)}"
        connection.exec_driver_sql(settings)


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Session]:
    """Open a session in one transaction: committed at the end, rolled back on any error.

    :raises LedgerLockedError: the database stayed locked, or cannot be reached
    :raises LedgerNotMigratedError: the database, a table or a column is missing
    :raises StorageFullError: no room is left for the database
    """
    _check_exists(engine)
    session = Session(engine, expire_on_commit=False)
    try:
        with session.begin():
            _begin_for_sure(session, writes=writes)
            yield session
    except DBAPIError as exc:
        where = engine.url.render_as_string(hide_password=True)
        raise_clearly(exc, where=where, revision=REVISION)
    finally:
        session.close()


def _begin_for_sure(session: Session, *, writes: bool) -> None:
    """Begin, on another connection where the database closed a kept one meanwhile.

    To try each before it is used would double what short questions cost.
    """
    try:
        session.connection(execution_options={_WRITES: writes})
    except DBAPIError as exc:
        if not exc.connection_invalidated:
            raise
        session.connection(execution_options={_WRITES: writes})


def _is_missing(engine: Engine) -> bool:
    """Whether SQLite's file is not there; one that cannot be looked for may be there."""
    if engine.dialect.name != "sqlite":
        return False
    try:
        Path(str(engine.url.database)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _check_exists(engine: Engine) -> None:
    if _is_missing(engine):
        raise LedgerNotMigratedError(
            f"there is no ledger {engine.url.render_as_string(hide_password=True)}: point "
            "REELFLOW_DATABASE_URL or REELFLOW_HOME at the right one, or run `reelflow db upgrade` "
            "to make it"
        )


def current_revision(engine: Engine) -> str | None:
    """Return the schema revision of the database, or None when it has none or is not there."""
    if _is_missing(engine):
        return None
    try:
        with transaction(engine, writes=False) as session:
            found = session.connection().exec_driver_sql("SELECT version_num FROM alembic_version")
            revision: str | None = found.scalar()
            return revision
    except LedgerNotMigratedError:  # there is no such table
        return None


def check_revision(engine: Engine) -> None:
    """Raise unless the database has this version's schema.

    :raises LedgerNotMigratedError: with the command that mends it
    """
    _check_exists(engine)
    revision = current_revision(engine)
    if revision != REVISION:
        newer = revision is not None and revision > REVISION
        mend = (
            "install the newer Reelflow that upgraded it" if newer else "run `reelflow db upgrade`"
        )
        raise LedgerNotMigratedError(
            f"the ledger {engine.url.render_as_string(hide_password=True)} is at revision "
            f"{revision or 'none'}, this version needs {REVISION}: {mend}"
        )


def check_writable(engine: Engine) -> None:
    """Raise where this process may read SQLite's file, but not write it.

    :raises LedgerLockedError: with what mends it
    """
    if engine.dialect.name == "sqlite":
        file = Path(str(engine.url.database))
        for closed in (file, file.absolute().parent):
            if not os.access(closed, os.W_OK):
                where = engine.url.render_as_string(hide_password=True)
                raise read_only(where, f"{closed} cannot be written to")


def upgrade(engine: Engine) -> None:
    """Bring the database to this version's schema; does nothing when it is there.

    A file of SQLite's, and its folder, are made if they are missing: nothing else makes them.

    :raises ConfigurationError: the file or its folder cannot be made
    :raises LedgerLockedError: the database stayed locked, or cannot be reached
    :raises StorageFullError: no room is left for the database
    """
    # Alembic is imported here because only this command needs it, not every task.
    from alembic import command
    from alembic.config import Config

    if _is_missing(engine):
        _make_file(Path(str(engine.url.database)))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # A writer from the start: of two that upgrade at once, the second finds the work done.
    with transaction(engine, writes=True) as session:
        connection = session.connection()
        if engine.dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o644)  # as SQLite makes its files
    except OSError as exc:
        raise ConfigurationError(
            f"the ledger {path} cannot be made ({exc.strerror}): point REELFLOW_DATABASE_URL or "
            "REELFLOW_HOME at a folder that this user may write to",
            code="database_folder",
        ) from exc
