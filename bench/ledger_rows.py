"""Fills ledgers with more rows than a test would wait for, in SQL."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from demo.postgresql import program_folder
from reelflow.ledger.engine import open_engine, transaction
from tests.postgresql import NOT_INSTALLED, PostgresqlServer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

#: What each database calls the same thing, of a number ``i``.
WORDS = {
    "sqlite": {
        "hex32": "printf('%032x', i)",
        "hex64": "printf('%064x', i)",
        "at": "strftime('%Y-%m-%d %H:%M:%f', '2026-11-21 12:00:00', "
        "'-' || CAST({seconds} AS TEXT) || ' seconds') || '000'",
    },
    "postgresql": {
        "hex32": "lpad(to_hex(i), 32, '0')",
        "hex64": "lpad(to_hex(i), 64, '0')",
        "at": "timestamptz '2026-11-21 12:00:00+00' - ({seconds}) * interval '1 second'",
    },
}
#: States of the posts that ended: most are published, as after a year of work.
ENDED = (
    "CASE i % 20 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'MISSED' WHEN 2 THEN 'CANCELLED' "
    "WHEN 3 THEN 'PUBLISHED_NO_LINK' ELSE 'PUBLISHED' END"
)
#: Over the year before the day of those that are due.
ENDED_SECONDS = "90000 + i * 31"


@contextmanager
def empty_ledgers(name: str) -> Iterator[Callable[[], Engine]]:
    """Give out empty databases of one kind, and delete them afterwards."""
    if name == "sqlite":
        numbers = itertools.count(1)
        with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
            yield lambda: open_engine(f"sqlite:///{folder}/ledger-{next(numbers)}.db")
        return
    programs = program_folder()
    if programs is None:
        sys.exit(NOT_INSTALLED)
    server = PostgresqlServer(programs, settings={}, authentication="scram-sha-256")
    try:
        yield lambda: open_engine(server.url(server.create_database()))
    finally:
        server.stop()


def add_accounts(engine: Engine, count: int) -> None:
    """Add accounts named ``account-1`` and on, whose inbox files go out to themselves only."""
    with transaction(engine, writes=True) as session:
        session.execute(
            text(
                "INSERT INTO accounts (id, open_id, name, inbox_privacy_level, revoked, "
                "access_token_encrypted, created_at, updated_at) VALUES (:id, :open_id, :name, "
                "'SELF_ONLY', false, :token, :at, :at)"
            ),
            [
                {
                    "id": number,
                    "open_id": f"open-{number}",
                    "name": f"account-{number}",
                    "token": b"encrypted",
                    "at": NOW.replace(tzinfo=None) if engine.dialect.name == "sqlite" else NOW,
                }
                for number in range(1, count + 1)
            ],
        )


def add_history(engine: Engine, first: int, end: int, *, accounts: int) -> None:
    """Add posts that ended, and let PostgreSQL see what it has."""
    add_posts(engine, first, end, state=ENDED, seconds=ENDED_SECONDS, accounts=accounts, ended=True)
    if engine.dialect.name == "postgresql":
        # The driver's own: SQLAlchemy's would begin a transaction, which VACUUM refuses.
        with closing(engine.raw_connection()) as connection:
            # Their ids were not its own; and what its autovacuum does within minutes.
            connection.cursor().execute(f"SELECT setval('posts_id_seq', {end + 1})")
            connection.cursor().execute("VACUUM ANALYZE")


def add_posts(
    engine: Engine,
    first: int,
    end: int,
    *,
    state: str,
    seconds: str,
    accounts: int,
    ended: bool = False,
) -> None:
    """Add posts numbered from ``first`` up to ``end``, each with its file, in SQL.

    :param state: an expression of ``i``
    :param seconds: how long before now a post was due, an expression of ``i``
    :param accounts: how many there are to spread them over
    :param ended: with a publication, announced, its source deleted
    """
    words = WORDS[engine.dialect.name]
    at = words["at"].format(seconds=seconds)
    done_at = at if ended else "NULL"
    numbers = (
        f"WITH RECURSIVE numbers(i) AS (SELECT {first} UNION ALL "
        f"SELECT i + 1 FROM numbers WHERE i + 1 < {end})"
    )
    statements = [
        f"INSERT INTO media (id, file_name, inbox_path, inbox_identity, source_path, moved_at, "
        f"size_bytes, sha256, created_at, deleted_at) {numbers} SELECT {words['hex32']}, "
        f"'clip.mp4', 'account/clip.mp4', CAST(i AS TEXT), 'media/' || {words['hex32']}, {at}, "
        f"1000000, "
        f"{words['hex64']}, {at}, {done_at} FROM numbers",
        f"INSERT INTO posts (id, account_id, media_id, state, reason, state_since, sha256, slot, "
        f"caption, mode, disable_comment, disable_duet, disable_stitch, brand_content_toggle, "
        f"brand_organic_toggle, is_aigc, repost, publish_at, due_at, fencing_token, "
        f"upload_failures, publications_forgiven, announced_at, source_settled_at, created_at) "
        f"{numbers} SELECT i + 1, 1 + (i % 9973 * 7919) % {accounts}, {words['hex32']}, {state}, "
        f"'as the benchmark says', {at}, {words['hex64']}, 0, 'a caption of the usual length', "
        f"'direct', false, false, false, false, false, false, false, "
        f"CASE i % 2 WHEN 0 THEN {at} END, {at}, 0, 0, 0, {done_at}, {done_at}, {at} FROM numbers",
    ]
    if ended:
        statements.append(
            f"INSERT INTO publications (post_id, ordinal, is_current, state, publish_id, "
            f"url_expires_at, size_bytes, chunk_size_bytes, total_chunks, acknowledged_bytes, "
            f"created_at) {numbers} SELECT i + 1, 1, true, 'DONE', 'v_pub_file~' || i, {at}, "
            f"1000000, 1000000, 1, 1000000, {at} FROM numbers"
        )
    with transaction(engine, writes=True) as session:
        if engine.dialect.name == "sqlite":
            session.execute(text("PRAGMA cache_size = -1000000"))  # 1 GB, for the filling only
        for statement in statements:
            session.execute(text(statement))
