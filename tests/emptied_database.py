"""A PostgreSQL ledger that one test after the other has, empty again behind each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from reelflow.ledger.engine import REVISION
from tests.postgresql import TEMPLATE, PostgresqlServer

#: Counts what changes the schema, also what is rolled back.
_WATCH_DDL = """
CREATE SCHEMA watch;
CREATE SEQUENCE watch.ddl MINVALUE 0;
CREATE FUNCTION watch.count_ddl() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM nextval('watch.ddl'); END $$;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end EXECUTE FUNCTION watch.count_ddl();
"""
_IS_AS_MIGRATED = """
SELECT (SELECT NOT is_called FROM watch.ddl)
    AND (SELECT array_agg(version_num::text) FROM alembic_version) = ARRAY[%s]
"""
_END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_RESTART_IDS = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = 'public'
"""


class EmptiedDatabases:
    """Of a server: to empty a database takes a tenth of what it takes to copy another."""

    def __init__(self, server: PostgresqlServer) -> None:
        self._server = server
        self._latest: _Database | None = None

    @contextmanager
    def one(self) -> Iterator[str]:
        """Lend an empty, migrated database; the URL is everybody's who comes later, too."""
        self._latest = self._latest or _Database(self._server)
        yield self._latest.url
        if not self._latest.empty():
            self.close()

    def close(self) -> None:
        """Delete the database."""
        if self._latest is not None:
            self._latest.drop()
            self._latest = None


class _Database:
    def __init__(self, server: PostgresqlServer) -> None:
        self._server = server
        self._name = server.create_database(template=TEMPLATE)
        self.url = server.url(self._name)
        self._connection = psycopg.connect(
            self.url.replace("postgresql+psycopg:", "postgresql:"), autocommit=True
        )
        tables = self._connection.execute(_TABLES).fetchall()
        deletions = (f"DELETE FROM {name};" for (name,) in tables)
        # Without its foreign keys, whose order nobody has to know.
        self._forget = f"SET session_replication_role = replica; {' '.join(deletions)}"
        self._connection.execute(_WATCH_DDL)

    def empty(self) -> bool:
        """Forget all rows; False when the schema changed, and the database is of no more use."""
        self._connection.execute(_END_OTHER_SESSIONS)
        (is_as_migrated,) = self._connection.execute(_IS_AS_MIGRATED, [REVISION]).fetchone() or (0,)
        if is_as_migrated:
            self._connection.execute(self._forget.encode())
            self._connection.execute(_RESTART_IDS)
        return bool(is_as_migrated)

    def drop(self) -> None:
        """Delete the database."""
        self._connection.close()
        self._server.drop_database(self._name)
