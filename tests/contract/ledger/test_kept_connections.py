"""A task keeps its connection to the ledger; a process that is forked from it opens its own."""

from __future__ import annotations

import os

from sqlalchemy import Engine, text

from reelflow.ledger.engine import open_engine, transaction
from tests.postgresql import ON_BOTH_DATABASES


def read(engine: Engine) -> object:
    with transaction(engine, writes=False) as session:
        return session.scalar(text("SELECT version_num FROM alembic_version"))


def in_a_fork(engine: Engine) -> int:
    """Use the engine in a forked process; return how many connections that found open."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            found = engine.pool.checkedin()  # type: ignore[attr-defined] # of a queue pool
            code = found if read(engine) else 98
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@ON_BOTH_DATABASES
def test_a_forked_process_leaves_the_connections_to_the_one_that_opened_them(
    database_url: str,
) -> None:
    engine = open_engine(database_url, keeps_connections=True)
    before = read(engine)
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    assert in_a_fork(engine) == 0
    assert read(engine) == before
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    engine.dispose()


def test_a_connection_that_the_database_closed_is_opened_anew(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url, keeps_connections=True)
    before = read(engine)
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    with open_engine(postgresql_url).connect() as connection:
        assert len(connection.execute(others).all()) == 1
    assert read(engine) == before
    engine.dispose()
