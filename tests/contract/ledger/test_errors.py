"""Trouble with the database is one clear sentence, without any value and without the password."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import ConfigurationError, LedgerLockedError
from reelflow.ledger import claims
from reelflow.ledger.engine import (
    UPGRADE_LOCK,
    check_revision,
    open_engine,
    transaction,
    upgrade,
)
from reelflow.ledger.models import Account
from reelflow.services.discover import find_new_uploads
from reelflow.services.workspace import Workspace
from tests.database_faults import impatient
from tests.factories import ACTOR, Clock
from tests.postgresql import ON_BOTH_DATABASES, PostgresqlServer

SECRET = "nobody-reads-this"


def new_account(workspace: Workspace, **columns: object) -> Account:
    now = workspace.ledger.now()
    values: dict[str, object] = {
        "open_id": "open-new", "name": SECRET, "access_token_encrypted": b"x",
        "created_at": now, "updated_at": now, **columns,
    }  # fmt: skip
    return Account(**values)


@ON_BOTH_DATABASES
@pytest.mark.parametrize("columns", [{"open_id": "open-acme"}, {"access_token_encrypted": None}])
def test_an_error_quotes_no_value_of_the_row(
    workspace: Workspace, account: Account, columns: dict[str, object]
) -> None:
    def insert() -> None:
        with workspace.ledger.write() as session:
            session.add(new_account(workspace, **columns))

    with pytest.raises(IntegrityError) as refused:
        insert()
    told: BaseException | None = refused.value
    while told is not None:
        assert SECRET not in f"{told} {told.args}"
        assert account.open_id not in f"{told} {told.args}"
        told = told.__cause__ or told.__context__


@contextmanager
def held_by_another(workspace: Workspace) -> Iterator[None]:
    """A writer that has changed the account ``acme`` and is not done."""
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE accounts SET username = 'x'"))
        yield


@ON_BOTH_DATABASES
def test_a_writer_gives_up_waiting_for_another_and_says_when_to_come_back(
    workspace: Workspace, account: Account
) -> None:
    ledger = impatient(workspace).ledger

    def rename() -> None:
        with ledger.write() as session:
            session.get_one(Account, account.id).name = "renamed"

    with held_by_another(workspace):
        with pytest.raises(LedgerLockedError, match="nothing was changed") as refused:
            rename()
        with ledger.read() as session:  # readers do not wait at all
            assert session.get_one(Account, account.id).name == "acme"
    assert refused.value.retry_after_s == 5
    rename()


def test_an_upgrade_gives_up_waiting_for_another_upgrade(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url, lock_timeout_s=0)
    with transaction(engine, writes=True) as session:
        session.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        with pytest.raises(LedgerLockedError, match="lock timeout"):
            upgrade(engine)
    upgrade(engine)


@ON_BOTH_DATABASES
def test_a_run_takes_no_posts_while_another_does(workspace: Workspace, clock: Clock) -> None:
    other, run = impatient(workspace), NormalRun("run", clock(), timedelta(days=1))
    with workspace.ledger.write() as session:
        claims.take_turns(session)
        with pytest.raises(LedgerLockedError):
            find_new_uploads(other, run, actor=ACTOR)
    assert find_new_uploads(other, run, actor=ACTOR) == []


def test_a_server_that_is_not_there_says_so_without_the_password(
    postgresql_server: PostgresqlServer,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, nobody takes it
        port = taken.getsockname()[1]
        engine = open_engine(f"postgresql+psycopg://someone:{SECRET}@127.0.0.1:{port}/db")
        with pytest.raises(
            LedgerLockedError, match=r"cannot be used .*REELFLOW_DATABASE_URL names the right one"
        ) as refused:
            check_revision(engine)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.retry_after_s == 5


def test_a_refused_password_is_told_in_the_servers_words(
    postgresql_server: PostgresqlServer,
) -> None:
    url = f"postgresql+psycopg://someone:{SECRET}@127.0.0.1:{postgresql_server.port}/postgres"
    with pytest.raises(LedgerLockedError, match="password authentication failed") as refused:
        check_revision(open_engine(url))
    assert SECRET not in str(refused.value)


def test_a_standby_that_takes_no_writes_is_asked_again_later(postgresql_url: str) -> None:
    engine = open_engine(f"{postgresql_url}?options=-c default_transaction_read_only=on")

    def write() -> None:
        with transaction(engine, writes=True) as session:
            session.execute(text("DELETE FROM audit"))

    told = r"in a read-only transaction.*point REELFLOW_DATABASE_URL at the primary"
    with pytest.raises(LedgerLockedError, match=told) as refused:
        write()
    assert refused.value.retry_after_s == 5


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM posts", "DELETE FROM audit", "CREATE TABLE reelflow_new (id INTEGER)"],
)
def test_a_user_without_its_rights_is_told_which_and_who_gives_them(
    postgresql_url: str, statement: str
) -> None:
    def try_as_stranger() -> None:
        with transaction(open_engine(postgresql_url), writes=True) as session:
            session.execute(text("CREATE ROLE reelflow_stranger"))
            session.execute(text("SET LOCAL ROLE reelflow_stranger"))
            session.execute(text(statement))

    with pytest.raises(ConfigurationError, match="permission denied for") as refused:
        try_as_stranger()
    assert refused.value.code == "ledger_permission"
    assert "as its owner" in str(refused.value)
    assert "GRANT" in str(refused.value)


def test_no_process_waits_long_for_a_server_behind_a_cut_cable_unless_the_url_says_so(
    postgresql_url: str,
) -> None:
    engine = open_engine(f"{postgresql_url}?connect_timeout=77")
    with engine.connect() as connection:
        told = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    assert told["connect_timeout"] == "77"
    assert told["tcp_user_timeout"] == "30000"


def test_a_connection_that_breaks_midway_may_have_kept_the_last_change(
    postgresql_url: str,
) -> None:
    engine = open_engine(postgresql_url)

    def work_on_a_connection_that_is_cut() -> None:
        with transaction(engine, writes=True) as session:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            with transaction(engine, writes=True) as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid}, 10000)"))
            session.execute(text("SELECT 1"))

    with pytest.raises(LedgerLockedError, match="may or may not have been kept"):
        work_on_a_connection_that_is_cut()
    check_revision(engine)


def test_an_error_without_a_sentence_of_ours_stays_what_it_is(postgresql_url: str) -> None:
    def divide() -> None:
        with transaction(open_engine(postgresql_url), writes=False) as session:
            session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="division by zero"):
        divide()
