"""The PostgreSQL database that unit tests share: no test sees what another has left in it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from reelflow.ledger.engine import check_revision
from reelflow.ledger.models import Post
from tests import factories
from tests.emptied_database import EmptiedDatabases
from tests.factories import Clock
from tests.postgresql import PostgresqlServer


def open_post(folder: Path, clock: Clock, url: str, name: str) -> int:
    folder = folder / name
    folder.mkdir()
    workspace = factories.open_workspace(folder, clock, database_url=url)
    check_revision(workspace.ledger.engine)
    with workspace.ledger.read() as session:
        assert session.query(Post).count() == 0
    return factories.make_post(workspace, factories.make_account(workspace)).id


@pytest.mark.parametrize(
    ("left", "is_same"),
    [
        ("SELECT 1", True),
        ("DROP TABLE approval_questions", False),
        ("CREATE INDEX more ON posts (caption)", False),
        ("UPDATE alembic_version SET version_num = '0001'", False),
    ],
)
def test_the_next_one_is_empty_and_migrated_whatever_is_left(
    postgresql_server: PostgresqlServer, tmp_path: Path, clock: Clock, left: str, is_same: bool
) -> None:
    with closing(EmptiedDatabases(postgresql_server)) as databases:
        with databases.one() as first:
            assert open_post(tmp_path, clock, first, "first") == 1
            workspace = factories.open_workspace(tmp_path, clock, database_url=first)
            with workspace.ledger.write() as session:
                session.execute(text(left))
        with databases.one() as second:
            assert open_post(tmp_path, clock, second, "second") == 1
    assert (first == second) is is_same
