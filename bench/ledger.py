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
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bench.ledger_rows import NOW, add_accounts, add_history, add_posts, empty_ledgers
from demo.processes import exit_on_signals
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.ledger import claims, posts, unsettled_posts
from reelflow.ledger.engine import transaction, upgrade
from reelflow.ledger.fair_batch import Share

DUE = 100_000
ACCOUNTS = 200
BATCH_SIZE = 200
MAX_LATENESS = timedelta(hours=24)
MAX_MS = {"postgresql": 100.0, "sqlite": 300.0}
#: With five times the history, at most this many times the time.
GROWTH_MAX = 1.5
#: Below this a difference is the machine's.
NOISE_MS = 5.0

#: Spread over the 20 hours before now.
DUE_SECONDS = "i * 18 / 25"  # 72,000 s for 100,000 posts


def main() -> None:
    """Fill, ask and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15, help="times each question is asked")
    parser.add_argument("--database", choices=MAX_MS, action="append")
    options = parser.parse_args()
    exit_on_signals()
    results = []
    for name in options.database or MAX_MS:
        with empty_ledgers(name) as open_ledger:
            result = measure(
                open_ledger(), open_ledger(), total=options.posts, rounds=options.rounds
            )
        print(json.dumps(result), flush=True)
        results.append(result)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


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
    share = Share(but_not_of=claims.in_hand(session, now=NOW))
    return len(posts.has_due(session, now=NOW, max_lateness=MAX_LATENESS, share=share))


def _sweep(session: Session) -> int:
    stalled = posts.stalled_uploads(session, now=NOW)
    late = posts.missed(session, before=NOW - MAX_LATENESS, now=NOW, limit=BATCH_SIZE)
    return 1 + len(stalled) + len(late) + len(unsettled_posts.unheld(session, now=NOW))


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
    add_accounts(engine, ACCOUNTS)
    add_posts(engine, 0, DUE, state="'READY'", seconds=DUE_SECONDS, accounts=ACCOUNTS)
    add_history(engine, DUE, total, accounts=ACCOUNTS)


if __name__ == "__main__":
    main()
