"""The schema: migrations make what the models say, and what is not migrated says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.ledger import engine as engine_module
from reelflow.ledger.engine import (
    REVISION,
    check_revision,
    current_revision,
    open_engine,
    transaction,
    upgrade,
)
from reelflow.ledger.models import Base
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.postgresql import ON_BOTH_DATABASES, PostgresqlServer

pytestmark = ON_BOTH_DATABASES

MIGRATIONS = Path(engine_module.__file__).parent / "migrations"


@pytest.fixture
def empty(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database without any table, of the kind that the test runs on."""
    if database_url.startswith("sqlite"):
        (tmp_path / "empty.db").touch()
        yield open_engine(f"sqlite:///{tmp_path}/empty.db")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    name = server.create_database()
    yield open_engine(server.url(name))
    server.drop_database(name)


def upgrade_to(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with transaction(engine, writes=True) as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)


def test_the_migrations_make_exactly_what_the_models_say(workspace: Workspace) -> None:
    with workspace.ledger.read() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_partial_indexes_have_the_models_conditions(workspace: Workspace) -> None:
    """``compare_metadata`` does not look at them."""
    dialect = workspace.ledger.engine.dialect.name
    wanted = {
        index.name: str(index.dialect_options[dialect]["where"])
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options[dialect].get("where") is not None
    }
    with workspace.ledger.read() as session:
        inspector = inspect(session.connection())
        stored = {
            index["name"]: str(index["dialect_options"][f"{dialect}_where"])
            for table in Base.metadata.tables
            for index in inspector.get_indexes(table)
            if index.get("dialect_options", {}).get(f"{dialect}_where") is not None
        }
    assert stored.keys() == wanted.keys()
    if dialect == "sqlite":  # PostgreSQL writes conditions in words of its own
        assert stored == wanted


def test_of_processes_that_upgrade_at_once_one_does_and_the_others_find_it_done(
    empty: Engine,
) -> None:
    assert current_revision(empty) is None
    assert race([lambda: upgrade(empty)] * 4) == [None] * 4
    check_revision(empty)
    assert current_revision(empty) == REVISION


def test_what_is_not_migrated_says_which_command_mends_it(empty: Engine) -> None:
    with pytest.raises(LedgerNotMigratedError, match=r"is at revision none.*reelflow db upgrade"):
        check_revision(empty)
    upgrade_to(empty, "0001")
    with pytest.raises(LedgerNotMigratedError, match=r"is at revision 0001.*reelflow db upgrade"):
        check_revision(empty)


@pytest.mark.parametrize("statement", ["SELECT * FROM absent", "SELECT absent FROM posts"])
def test_a_missing_table_or_column_says_which_command_mends_it(
    workspace: Workspace, statement: str
) -> None:
    with (
        pytest.raises(LedgerNotMigratedError, match="run `reelflow db upgrade`"),
        workspace.ledger.read() as session,
    ):
        session.execute(text(statement))


def test_tables_of_something_else_are_left_alone(empty: Engine) -> None:
    with transaction(empty, writes=True) as session:
        session.execute(text("CREATE TABLE posts (title VARCHAR(9))"))
    with pytest.raises(ConfigurationError, match="tables of something else"):
        upgrade(empty)
    assert current_revision(empty) is None


@pytest.mark.parametrize(
    ("state", "source_path", "deleted", "is_settled"),
    [
        (PostState.PUBLISHED, "media/a.mp4", True, True),
        (PostState.PUBLISHED, "media/a.mp4", False, False),
        (PostState.REJECTED, "quarantine/acme/1.mp4", False, True),
        (PostState.REJECTED, "media/a.mp4", False, False),
        (PostState.READY, "media/a.mp4", False, False),
    ],
)
def test_what_an_older_version_finished_is_not_finished_again(
    empty: Engine,
    insert_old: Callable[..., None],
    state: PostState,
    source_path: str,
    deleted: bool,
    is_settled: bool,
) -> None:
    upgrade_to(empty, "0001")
    insert_old(empty, state=state, source_path=source_path, deleted=deleted)
    upgrade(empty)
    with transaction(empty, writes=False) as session:
        settled_at = session.scalar(text("SELECT source_settled_at FROM posts"))
    assert (settled_at is not None) is is_settled


@pytest.mark.parametrize("is_moved", [True, False])
def test_files_of_an_older_version_are_known_by_what_they_were_known_by(
    empty: Engine, insert_old: Callable[..., None], is_moved: bool
) -> None:
    upgrade_to(empty, "0001")
    insert_old(empty, state=PostState.READY, source_path="media/a.mp4", deleted=False)
    with transaction(empty, writes=True) as session:
        moved_at = "moved_at" if is_moved else "NULL"
        session.execute(
            text(f"UPDATE media SET inbox_inode = 7, mtime_ns = -5, moved_at = {moved_at}")
        )
    upgrade(empty)
    with transaction(empty, writes=False) as session:
        row = session.execute(text("SELECT inbox_identity, source_identity FROM media")).one()
    assert row == ("7-1--5", "7-1--5" if is_moved else None)


@pytest.fixture
def insert_old() -> Callable[..., None]:
    """Inserts one post into a ledger of revision 0001."""

    def insert(engine: Engine, *, state: PostState, source_path: str, deleted: bool) -> None:
        at = "2026-11-01 12:00:00"
        rows = {
            "accounts": {
                "id": 1, "open_id": "o", "name": "acme", "revoked": False,
                "access_token_encrypted": b"x", "created_at": at, "updated_at": at,
            },
            "media": {
                "id": "m", "file_name": "a.mp4", "inbox_path": "acme/a.mp4", "inbox_inode": 1,
                "source_path": source_path, "moved_at": at, "size_bytes": 1, "mtime_ns": 1,
                "created_at": at, "deleted_at": at if deleted else None,
            },
            "posts": {
                "id": 1, "account_id": 1, "media_id": "m", "state": state.value, "reason": "r",
                "state_since": at, "slot": 0, "caption": "", "mode": "direct",
                "disable_comment": False, "disable_duet": False, "disable_stitch": False,
                "brand_content_toggle": False, "brand_organic_toggle": False, "is_aigc": False,
                "repost": False, "due_at": at, "fencing_token": 0, "upload_failures": 0,
                "publications_forgiven": 0, "created_at": at,
            },
        }  # fmt: skip
        with transaction(engine, writes=True) as session:
            for table, row in rows.items():
                names = ", ".join(row)
                values = ", ".join(f":{name}" for name in row)
                session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)

    return insert
