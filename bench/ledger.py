"""What a run asks a ledger of a million posts: its fair batch, and whether there is work at all.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.ledger [--posts 1000000] [--rounds 15] [--database sqlite|postgresql]

Each database holds two ledgers: 100,000 due posts over 200 accounts with as many that ended, and
the same with ended ones up to the whole number. They are asked in turn, so that what grows with
history shows on a noisy machine too. Each time is a whole transaction on a connection of its own,
as a task asks; PostgreSQL is started by the benchmark, with its own defaults. SQLite's statistics
are not gathered, for nothing in Reelflow gathers them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from demo.postgresql import program_folder
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.ledger import posts
from reelflow.ledger.engine import open_engine, transaction, upgrade
from tests.postgresql import NOT_INSTALLED, PostgresqlServer

DUE = 100_000
ACCOUNTS = 200
BATCH_SIZE = 200
MAX_LATENESS = timedelta(hours=24)
MAX_MS = {"postgresql": 100.0, "sqlite": 300.0}
#: With five times the history, at most this many times the time.
GROWTH_MAX = 1.5
#: Below this a difference is the machine's.
NOISE_MS = 5.0
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
#: Spread over the 20 hours before now, and over the year before those.
DUE_SECONDS = "i * 18 / 25"  # 72,000 s for 100,000 posts
ENDED_SECONDS = "90000 + i * 31"


def main() -> None:
    """Fill, ask and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15, help="times each question is asked")
    parser.add_argument("--database", choices=MAX_MS, action="append")
    options = parser.parse_args()
    results = []
    for name in options.database or MAX_MS:
        with empty_ledgers(name) as open_ledger:
            result = measure(
                open_ledger(), open_ledger(), total=options.posts, rounds=options.rounds
            )
        print(json.dumps(result), flush=True)
        results.append(result)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


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


def measure(small: Engine, large: Engine, *, total: int, rounds: int) -> dict[str, Any]:
    """Fill both, and ask them in turn."""
    _fill(small, total=2 * DUE)
    _fill(large, total=total)
    times = {name: _ask(small, large, ask, rounds) for name, ask in QUESTIONS.items()}
    few, many = ({name: pair[side] for name, pair in times.items()} for side in (0, 1))
    grown = [
        name for name in QUESTIONS if many[name] > max(few[name] * GROWTH_MAX, few[name] + NOISE_MS)
    ]
    limit_ms = MAX_MS[large.dialect.name]
    return {
        "benchmark": "ledger",
        "database": large.dialect.name,
        "posts": total,
        "due": DUE,
        "accounts": ACCOUNTS,
        "batch_size": BATCH_SIZE,
        "ms": many,
        "ms_with_200k_posts": few,
        "fair_batch_ms_max": limit_ms,
        "grown_with_history": grown,
        "ok": many["fair_batch"] <= limit_ms and not grown,
    }


def _fair_batch(session: Session) -> int:
    run = NormalRun("bench", NOW, MAX_LATENESS)
    return len(posts.due(session, run, now=NOW, limit=BATCH_SIZE))


def _backfill(session: Session) -> int:
    run = BackfillRun("bench", NOW - timedelta(hours=1), NOW)
    return len(posts.due(session, run, now=NOW, limit=BATCH_SIZE))


def _has_due(session: Session) -> int:
    return len(posts.has_due(session, now=NOW, max_lateness=MAX_LATENESS))


def _sweep(session: Session) -> int:
    stalled = posts.stalled_uploads(session, now=NOW)
    late = posts.missed(session, before=NOW - MAX_LATENESS, now=NOW, limit=BATCH_SIZE)
    return 1 + len(stalled) + len(late) + len(posts.unsettled(session, now=NOW))


#: Each returns how much it found, never 0.
QUESTIONS: dict[str, Callable[[Session], int]] = {
    "fair_batch": _fair_batch,
    "backfill_of_an_hour": _backfill,
    "has_due": _has_due,
    "nothing_to_sweep": _sweep,
}


def _ask(
    small: Engine, large: Engine, ask: Callable[[Session], int], rounds: int
) -> tuple[float, float]:
    """Return both medians in milliseconds, after one round that fills the caches."""
    pairs = [(_time(small, ask), _time(large, ask)) for _ in range(rounds + 1)][1:]
    few, many = zip(*pairs, strict=True)
    return round(statistics.median(few), 1), round(statistics.median(many), 1)


def _time(engine: Engine, ask: Callable[[Session], int]) -> float:
    started = time.perf_counter()
    with transaction(engine, writes=False) as session:
        found = ask(session)
    seconds = time.perf_counter() - started
    assert found > 0, "a question that finds nothing measures nothing"
    return seconds * 1000


def _fill(engine: Engine, *, total: int) -> None:
    upgrade(engine)
    _add_accounts(engine)
    _add_posts(engine, 0, DUE, state="'READY'", seconds=DUE_SECONDS, ended=False)
    _add_posts(engine, DUE, total, state=ENDED, seconds=ENDED_SECONDS, ended=True)
    if engine.dialect.name == "postgresql":  # what its autovacuum does within minutes
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _add_accounts(engine: Engine) -> None:
    with transaction(engine, writes=True) as session:
        session.execute(
            text(
                "INSERT INTO accounts (id, open_id, name, revoked, access_token_encrypted, "
                "created_at, updated_at) VALUES (:id, :open_id, :name, false, :token, :at, :at)"
            ),
            [
                {
                    "id": number,
                    "open_id": f"open-{number}",
                    "name": f"account-{number}",
                    "token": b"encrypted",
                    "at": NOW.replace(tzinfo=None) if engine.dialect.name == "sqlite" else NOW,
                }
                for number in range(1, ACCOUNTS + 1)
            ],
        )


def _add_posts(
    engine: Engine, first: int, end: int, *, state: str, seconds: str, ended: bool
) -> None:
    """Add posts numbered from ``first`` up to ``end``, each with its file, in SQL.

    :param state: an expression of ``i``
    :param seconds: how long before now a post was due, an expression of ``i``
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
        f"{numbers} SELECT i + 1, 1 + (i % 9973 * 7919) % {ACCOUNTS}, {words['hex32']}, {state}, "
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


if __name__ == "__main__":
    main()
