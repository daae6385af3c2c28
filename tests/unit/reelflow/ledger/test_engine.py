"""Opening the ledger: SQLite's settings, revisions, and one clear sentence for each trouble."""

import multiprocessing
import re
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, select, text
from sqlalchemy.exc import OperationalError

from reelflow.exceptions import (
    ConfigurationError,
    LedgerLockedError,
    LedgerNotMigratedError,
    StorageFullError,
)
from reelflow.ledger import accounts
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.engine import (
    REVISION,
    check_revision,
    check_writable,
    current_revision,
    open_engine,
    transaction,
    upgrade,
)
from reelflow.ledger.models import Account, Base, Post
from reelflow.services.workspace import Workspace
from tests.factories import FERNET_KEY, Clock, migrated_sqlite
from tests.unprivileged import as_nobody_much, closed_to_writing, reachable_folder


@pytest.mark.parametrize("writes", [False, True])
def test_every_connection_has_wal_full_synchronous_and_foreign_keys(
    database_url: str, writes: bool
) -> None:
    engine = open_engine(database_url)
    for _ in range(2):  # each transaction is a connection of its own
        with transaction(engine, writes=writes) as session:
            asked = {
                name: session.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert asked == {
            "journal_mode": "wal",
            "synchronous": 2,  # FULL
            "foreign_keys": 1,
            "busy_timeout": 30_000,
        }


def test_an_error_inside_undoes_the_whole_transaction(
    workspace: Workspace, account: Account
) -> None:
    def change_and_fail() -> None:
        with workspace.ledger.write() as session:
            session.get_one(Account, account.id).name = "changed"
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    with workspace.ledger.read() as session:
        assert session.get_one(Account, account.id).name == "acme"


def test_writers_wait_for_each_other_and_none_is_lost(workspace: Workspace) -> None:
    """A read that turns into a write would fail at once, without waiting, if another wrote."""
    ledger, start = workspace.ledger, threading.Barrier(8)

    def add_one(number: int) -> None:
        start.wait(timeout=30)
        with ledger.write() as session:
            count = len(session.scalars(select(Account)).all())
            accounts.save(
                session,
                ledger.cipher,
                open_id=f"{number}",
                name=f"a{count}",  # taken twice, if two saw the same count
                tokens=accounts.TokenSet("t"),
                now=ledger.now(),
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(8), timeout=60))
    with ledger.read() as session:
        assert len(accounts.list_all(session)) == 8


def test_readers_do_not_wait_for_a_writer(workspace: Workspace, account: Account) -> None:
    with workspace.ledger.write() as writer:
        writer.get_one(Account, account.id).name = "unfinished"
        writer.flush()
        with workspace.ledger.read() as reader:
            assert reader.get_one(Account, account.id).name == "acme"


def test_the_migrations_make_exactly_what_the_models_say(workspace: Workspace) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with workspace.ledger.read() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
        stored = session.execute(
            text("SELECT sql FROM sqlite_master WHERE name = 'uq_posts_content'")
        ).scalar_one()
    (wanted,) = [
        index for index in Base.metadata.tables["posts"].indexes if index.name == "uq_posts_content"
    ]
    condition = str(wanted.dialect_options["sqlite"]["where"])
    assert stored.endswith(f"WHERE {condition}")  # compare_metadata does not look at it


def test_upgrading_is_needed_once_and_harmless_after(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/l.db")
    (tmp_path / "l.db").touch()
    assert current_revision(engine) is None
    with pytest.raises(LedgerNotMigratedError, match="is at revision none, this version needs"):
        check_revision(engine)
    upgrade(engine)
    upgrade(engine)
    check_revision(engine)
    assert current_revision(engine) == REVISION


def test_two_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/l.db"
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=lambda: upgrade(open_engine(url))) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    check_revision(open_engine(url))


def test_another_revision_is_named(tmp_path: Path) -> None:
    engine = open_engine(migrated_sqlite(tmp_path))
    with transaction(engine, writes=True) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(
        LedgerNotMigratedError,
        match=rf"is at revision 0000, this version needs {REVISION}: run `reelflow db upgrade`",
    ):
        check_revision(engine)


@pytest.mark.parametrize(
    "broken",
    ["DROP TABLE audit; DROP TABLE publications; DROP TABLE batches; DROP TABLE posts",
     "ALTER TABLE posts DROP COLUMN caption"],
)  # fmt: skip
def test_a_missing_table_or_column_says_which_command_mends_it(tmp_path: Path, broken: str) -> None:
    url = migrated_sqlite(tmp_path)
    with closing(sqlite3.connect(tmp_path / "reelflow.db")) as raw:
        raw.executescript(broken)
    with (
        pytest.raises(LedgerNotMigratedError, match="run `reelflow db upgrade`"),
        transaction(open_engine(url), writes=False) as session,
    ):
        session.scalars(select(Post)).all()


@contextmanager
def locked_by_another(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_ledger_says_so_and_when_to_come_back(tmp_path: Path) -> None:
    engine = open_engine(migrated_sqlite(tmp_path), lock_timeout_s=0)
    with locked_by_another(tmp_path / "reelflow.db"):
        with (
            pytest.raises(LedgerLockedError, match=r"locked.*nothing was changed") as refused,
            transaction(engine, writes=True),
        ):
            pytest.fail("two writers at once")
        with pytest.raises(LedgerLockedError, match="database is locked"):
            upgrade(engine)
    assert refused.value.retry_after_s == 5
    with transaction(engine, writes=True):
        pass


def test_a_ledger_without_room_says_so_and_keeps_what_it_had(tmp_path: Path) -> None:
    engine = open_engine(migrated_sqlite(tmp_path))

    def write_much() -> None:
        with transaction(engine, writes=True) as session:
            pages = session.scalar(text("PRAGMA page_count"))
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            for number in range(100):
                accounts.save(
                    session,
                    Cipher(FERNET_KEY),
                    open_id=f"{number}",
                    name=f"a{number}",
                    tokens=accounts.TokenSet("t" * 4000),
                    now=Clock()(),
                )

    with pytest.raises(StorageFullError, match=r"is full.*make room on its disk"):
        write_much()
    with transaction(engine, writes=False) as session:
        assert session.scalars(select(Account)).all() == []


@pytest.fixture
def read_only_ledger() -> Iterator[Path]:
    """A migrated ledger that nobody has open, its file and folder closed to writing."""
    with reachable_folder() as folder:
        file = Path(migrated_sqlite(folder).removeprefix("sqlite:///"))
        with closed_to_writing(folder):
            yield file


def write_something(engine: Engine) -> str:
    with transaction(engine, writes=True) as session:
        session.execute(text("UPDATE accounts SET name = name"))
    return "written"


def look_whether_writable(engine: Engine) -> str:
    check_writable(engine)
    return "it is"


def test_a_read_only_ledger_can_be_read_and_says_how_it_can_be_written(
    read_only_ledger: Path,
) -> None:
    engine = open_engine(f"sqlite:///{read_only_ledger}")
    assert as_nobody_much(lambda: str(current_revision(engine))) == REVISION
    for step in (lambda: write_something(engine), lambda: look_whether_writable(engine)):
        told = as_nobody_much(step)
        assert told.startswith(f"LedgerLockedError: the ledger sqlite:///{read_only_ledger} ")
        assert re.search(r"is read-only .*let user \d+ write to the file and to its folder", told)
    assert list(read_only_ledger.parent.iterdir()) == [read_only_ledger]


def test_a_read_only_file_beside_which_a_writer_works_shows_what_it_wrote() -> None:
    with reachable_folder() as folder:
        url = migrated_sqlite(folder)
        file = url.removeprefix("sqlite:///")

        def owners() -> str:
            with transaction(open_engine(url), writes=False) as session:
                return ",".join(session.scalars(select(Account.name)))

        with closing(sqlite3.connect(file, isolation_level=None)) as writer:
            writer.execute(
                "INSERT INTO accounts (open_id, name, access_token_encrypted, created_at,"
                " updated_at, revoked, token_version, video_source)"
                " VALUES ('o', 'seen', x'00', 0, 0, 0, 0, 'FILE_UPLOAD')"
            )
            with closed_to_writing(folder):
                assert as_nobody_much(owners) == "seen"
                told = as_nobody_much(lambda: write_something(open_engine(url)))
                assert told.startswith(f"LedgerLockedError: the ledger {url} is read-only")


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path}/folder.db")
    with pytest.raises(
        LedgerLockedError, match=r"cannot be opened \(unable to open database file\): see that it"
    ):
        check_revision(engine)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"not a database, but long enough to look at" * 100)
    engine = open_engine(f"sqlite:///{tmp_path}/l.db")
    with pytest.raises(ConfigurationError, match="damaged or not a database"):
        check_revision(engine)


@pytest.mark.parametrize("writes", [False, True])
def test_a_ledger_that_is_not_there_is_told_and_not_made(tmp_path: Path, writes: bool) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/no/such/l.db")
    assert current_revision(engine) is None
    told = r"there is no ledger .*no/such/l\.db.* run `reelflow db upgrade` to make it"
    with pytest.raises(LedgerNotMigratedError, match=told):
        check_revision(engine)
    with (
        pytest.raises(LedgerNotMigratedError, match=told),
        transaction(engine, writes=writes),
    ):
        pytest.fail("a transaction in nothing")
    assert list(tmp_path.iterdir()) == []
    upgrade(engine)
    check_revision(engine)


def test_connecting_makes_no_file_though_it_vanished_since_it_was_looked_for(
    tmp_path: Path,
) -> None:
    with pytest.raises(OperationalError, match="unable to open database file"):
        open_engine(f"sqlite:///{tmp_path}/l.db").connect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b%20?#&.db", "\u00e9\u2603.db"])
def test_any_name_of_a_file_is_the_name_of_the_ledger(tmp_path: Path, name: str) -> None:
    url = URL.create("sqlite", database=str(tmp_path / name)).render_as_string()
    upgrade(open_engine(url))
    check_revision(open_engine(url))
    assert (tmp_path / name).stat().st_size > 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file/sub/l\.db cannot be made"):
        upgrade(open_engine(f"sqlite:///{tmp_path}/file/sub/l.db"))


def test_a_home_folder_in_the_url_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    upgrade(open_engine("sqlite:///~/data/l.db"))
    assert (tmp_path / "data" / "l.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "reelflow.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:l.db?uri=true",
        "oracle9://u:s3cret@host/db",
        "postgresql://u:s3cret@host:port/db",
        "postgresql+nothing://u:s3cret@host/db",
        "http://u:s3cret@host",
        "postgresql://u:s3cret@[::1/db",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REELFLOW_DATABASE_URL") as refused:
        open_engine(url)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(refused.value.__cause__)


def test_errors_of_the_database_quote_no_values(workspace: Workspace, account: Account) -> None:
    with pytest.raises(Exception, match="UNIQUE") as refused, workspace.ledger.write() as session:
        session.add(
            Account(
                open_id=account.open_id,
                name="nobody-reads-this",
                access_token_encrypted=b"ciphertext",
                created_at=workspace.ledger.now(),
                updated_at=workspace.ledger.now(),
            )
        )
    assert "nobody-reads-this" not in str(refused.value)
