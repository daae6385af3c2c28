"""What the first task of a run takes with a long history behind it and a full inbox before it.

Prints one JSON object a line and exits with 1 if the target is missed::

    python -m bench.find_uploads [--history 100000] [--objects 1000] [--rounds 3]

A ledger of 100,000 posts that ended, over 20 accounts, and an inbox of 1,000 small files: in a
folder and in a bucket (moto's server), with SQLite and with PostgreSQL as it comes. Each round has
an inbox of its own, and times `find_new_uploads` as its task calls it, the opening of the ledger
included, its own CPU and its calls to the bucket; then the same for the next run, with what the
first left in the inbox.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from bench.ledger_rows import add_accounts, add_history, empty_ledgers
from demo.processes import exit_on_signals
from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.ledger.engine import upgrade
from reelflow.ledger.models import Post
from reelflow.services.discover import find_new_uploads
from reelflow.settings import Settings
from reelflow.storage.base import MediaStore
from reelflow.storage.local_store import LocalStore
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import S3Server, s3_client
from tests.factories import FERNET_KEY

ACCOUNTS = 20
SECONDS_MAX = 2.0
DATABASES = ("sqlite", "postgresql")
STORES = ("folder", "bucket")
#: As S3 gives them.
_PAGE_KEYS = 1000
#: S3 tells when an object was written in whole seconds.
QUIET_S = 1.0

#: Makes an inbox of so many files.
Fill = Callable[[int], MediaStore]
#: Counts what was asked of a bucket until now.
Calls = Callable[[], int]


def main() -> None:
    """Fill, find and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--history", type=int, default=100_000, help="posts that ended")
    parser.add_argument("--objects", type=int, default=1000, help="files in each inbox")
    parser.add_argument("--rounds", type=int, default=3, help="inboxes for each figure")
    options = parser.parse_args()
    exit_on_signals()
    results = []
    for database in DATABASES:
        with empty_ledgers(database) as open_ledger:
            engine = open_ledger()
            upgrade(engine)
            add_accounts(engine, ACCOUNTS)
            add_history(engine, 0, options.history, accounts=ACCOUNTS)
            for store in STORES:
                result = measure(engine, store, objects=options.objects, rounds=options.rounds)
                print(json.dumps(result), flush=True)
                results.append(result)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def measure(engine: Engine, store: str, *, objects: int, rounds: int) -> dict[str, Any]:
    """Find each round's files."""
    url = engine.url.render_as_string(hide_password=False)
    found, again, calls = [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder,
        STORE[store]() as (fill, called),
    ):
        os.environ |= {
            "REELFLOW_DATABASE_URL": url,
            "REELFLOW_FERNET_KEY": FERNET_KEY,
            "REELFLOW_INBOX_QUIET_S": str(QUIET_S),
            "REELFLOW_STORAGE_URL": "s3://bucket" if store == "bucket" else "",
        }
        for number in range(rounds):
            os.environ["REELFLOW_HOME"] = str(Path(folder) / str(number))
            opened = fill(objects)
            time.sleep(2 * QUIET_S)
            run_id = f"{store}-{number}-{time.time_ns()}"
            before = called()
            found.append(_find(opened, f"{run_id}-first", at_least=1))
            calls.append(called() - before)
            again.append(_find(opened, f"{run_id}-second", at_least=0))
            _end_posts(engine)
    seconds = statistics.median(one for one, _ in found)
    return {
        "benchmark": "find_new_uploads",
        "database": engine.dialect.name,
        "store": store,
        "objects": objects,
        "seconds": round(seconds, 2),
        "seconds_by_round": [round(one, 2) for one, _ in found],
        "cpu_s": round(statistics.median(one for _, one in found), 2),
        "calls_to_the_bucket": statistics.median(calls),
        "seconds_of_the_next_run": round(statistics.median(one for one, _ in again), 2),
        "seconds_max": SECONDS_MAX,
        "ok": seconds <= SECONDS_MAX,
    }


def _find(store: MediaStore, run_id: str, *, at_least: int) -> tuple[float, float]:
    """Return how long a run takes to find its posts, and this process's CPU in that time."""
    started, cpu_started_s = time.perf_counter(), time.process_time()
    settings = Settings.load()
    workspace = settings.open_workspace(lambda: store, keeps_connections=True)
    run = NormalRun(run_id, workspace.ledger.now(), workspace.rules.max_lateness)
    batch = find_new_uploads(workspace, run, actor="bench")
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started_s
    workspace.ledger.engine.dispose()
    assert len(batch) >= at_least, "a run that finds nothing measures nothing"
    return seconds, cpu_s


def _end_posts(engine: Engine) -> None:
    """Let the posts that were found be history: a run takes few while plenty are in hand."""
    with engine.begin() as connection:
        ended = {"state": PostState.PUBLISHED, "claimed_by": None, "claimed_until": None}
        connection.execute(update(Post).where(Post.state == PostState.READY).values(ended))


@contextmanager
def _folder() -> Iterator[tuple[Fill, Calls]]:
    """Give what makes an inbox in the data folder."""

    def fill(count: int) -> MediaStore:
        root = Path(os.environ["REELFLOW_HOME"])
        for name, content in _files(count):
            path = root / "inbox" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return LocalStore(root)

    yield fill, lambda: 0


@contextmanager
def _bucket() -> Iterator[tuple[Fill, Calls]]:
    """Give what makes an inbox in a bucket."""
    server = S3Server(page_keys=_PAGE_KEYS)
    try:
        client = s3_client(server.url)

        def fill(count: int) -> MediaStore:
            bucket = server.new_bucket()
            for name, content in _files(count):
                client.put_object(Bucket=bucket, Key=f"inbox/{name}", Body=content)
            return S3Store(client, bucket, "")

        yield fill, lambda: len(server.calls())
    finally:
        server.stop()


STORE = {"folder": _folder, "bucket": _bucket}


def _files(count: int) -> Iterator[tuple[str, bytes]]:
    moment = time.time_ns()  # no bytes twice: the ledger remembers all of them
    for number in range(count):
        yield f"account-{1 + number % ACCOUNTS}/clip-{number}.mp4", b"%d %d" % (moment, number)


if __name__ == "__main__":
    main()
