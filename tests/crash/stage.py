"""The stack that the cases play on: drops their files, routes arrivals to them, asks and clears."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select, update

from demo.commands import script
from demo.postgresql import program_folder
from demo.stack import Stack
from reelflow.ledger import photo_images
from reelflow.ledger.engine import open_engine, transaction
from reelflow.ledger.models import Account, Post
from tests import consent
from tests.crash.arbiter import Arbiter, Arrival
from tests.crash.cases import Case
from tests.crash.media import drop_photos, drop_video
from tests.crash.points import Kind, Media
from tests.crash.runs import Runs
from tests.dags_folder import dags_folder
from tests.postgresql import PostgresqlServer
from tiktok_simulator.accounts import make_accounts

#: So many that few posts wait for TikTok's six inits a minute and account.
ACCOUNTS = tuple(one.username for one in make_accounts(count=15))
PLUGINS = Path(__file__).parent / "plugins"
HEARTBEAT_TIMEOUT_S = 20


@contextmanager
def open_stage(
    folder: Path, *, simulator_arguments: Sequence[str], accounts: Sequence[str] = ACCOUNTS
) -> Iterator[Stage]:
    """Start a stack whose tasks ask the arbiter at each point.

    :param accounts: that posts go to; for less than all of the matrix a few will do
    """
    with ExitStack() as exits:
        arbiter = exits.enter_context(Arbiter(folder / "arbiter"))
        airflow_database = exits.enter_context(_airflow_database())
        dags = dags_folder(folder / "dags", "publish_to_tiktok", "prepare_media")
        stack = Stack(
            folder / "stack",
            extra_environment={
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
                "CRASH_ARBITER_SOCKET": str(arbiter.path),
                **airflow_database,
                "REELFLOW_INBOX_QUIET_S": "0",
                "REELFLOW_WATCH_INTERVAL_S": "1",
                # The simulator forgets its day between two waves, and the ledger does not.
                "REELFLOW_POSTS_PER_DAY": "10000",
                "REELFLOW_PENDING_DRAFTS": "10000",
            },
            heartbeat_timeout_s=HEARTBEAT_TIMEOUT_S,
            simulator_arguments=("--accounts", str(len(ACCOUNTS)), *simulator_arguments),
        )
        exits.enter_context(stack)
        stack.start(accounts)
        stack.wait_healthy()
        yield Stage(stack, arbiter, accounts)


@contextmanager
def _airflow_database() -> Iterator[dict[str, str]]:
    """Give the settings by which Airflow keeps its own state in PostgreSQL, where there is one.

    A busy machine locks Airflow's SQLite until a backfill is refused or the scheduler dies, which
    says nothing of Reelflow.
    """
    programs = program_folder()
    if programs is None:
        yield {}
        return
    server = PostgresqlServer(programs)
    try:
        url = server.url(server.create_database())
        # The same driver for both: by itself Airflow would look for asyncpg.
        yield {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url,
        }
    finally:
        server.stop()


class Stage:
    """A running stack and the cases that play on it now.

    :param accounts: that posts go to
    """

    def __init__(self, stack: Stack, arbiter: Arbiter, accounts: Sequence[str]) -> None:
        self.stack = stack
        self._accounts = accounts
        self.runs = Runs(stack)
        self._arbiter = arbiter
        self._engine = open_engine(stack.environment["REELFLOW_DATABASE_URL"])
        self._cases: dict[str, Case] = {}
        self._file_names: dict[int, str] = {}
        self._last_id = 0
        self._awaiting_run: Case | None = None
        self._case_of_run: dict[str, Case | None] = {}
        self._dropped = 0
        self._lock = threading.Lock()
        self._heard = 0
        self._last_heard: dict[str, int] = {}
        self._connected: set[str] = set()
        # What a webhook tells would settle posts at times of its own, and change their way.
        self.simulator("POST", "/webhooks", {"url": None})
        arbiter.decide = self._decide

    def drop(self, case: Case) -> None:
        """Put a case's file into an inbox, wished for its day or for now."""
        [case.account] = self._next_accounts(1)
        self._dropped += 1
        is_photos = case.kind.media is Media.PHOTOS
        case.file_name = uuid.uuid4().hex[:8] + ("" if is_photos else ".mp4")
        inbox = self.stack.inbox / case.account
        sidecar = {"mode": "draft"} if case.kind.is_draft else {}
        if case.day is not None:
            sidecar["publish_at"] = f"{case.day}T00:00:00Z"
        if sidecar:
            (inbox / f"{case.file_name}.json").write_text(json.dumps(sidecar))
        with self._lock:
            self._cases[case.file_name] = case
        if case.kind.works_on_run and not case.kind.is_backfilled:
            self._await_run(case)
        if is_photos:
            dropped = drop_photos(inbox, case.file_name)
        else:
            dropped = drop_video(inbox, case.file_name, size_bytes=case.kind.size_bytes)
        case.sha256, case.size_bytes = dropped.sha256, dropped.size_bytes

    def _await_run(self, case: Case) -> None:
        """Let the next new run be that of a case."""
        with self._lock:
            self._awaiting_run = case

    def forget(self) -> None:
        """End the play: the simulator forgets its posts and every consent, too."""
        self._cases.clear()
        self._last_id = max(self._file_names, default=0)
        self.simulator("POST", "/reset")
        for name in self._connected:
            self.stack.add_account(name)
        self._connected.clear()

    def check(self) -> None:
        """Raise what went wrong behind the scenes.

        :raises StackError: a component died
        """
        self._arbiter.check()
        self.stack.check_alive()

    def posts(self, cases: Sequence[Case]) -> dict[str, Post]:
        """Return the posts of cases that are registered, by file name.

        :raises AssertionError: a file became two posts
        """
        names = {case.file_name for case in cases}
        with transaction(self._engine, writes=False) as session:
            posts = session.scalars(select(Post).where(Post.id > self._last_id)).all()
            found = [(photo_images.name_of(post), post) for post in posts]
        by_name = {name: post for name, post in found if name in names}
        for name, post in found:
            twin = by_name.get(name, post)
            assert twin is post, f"{name} is registered as posts {post.id} and {twin.id}"
        return by_name

    def left_in_inbox(self, cases: Sequence[Case]) -> list[str]:
        """Return the files of cases that still lie where they were dropped."""
        inbox = self.stack.inbox
        return [one.file_name for one in cases if (inbox / one.account / one.file_name).exists()]

    def heard(self) -> int:
        """Return how often a process was at a point so far."""
        return self._heard

    def has_acted_since(self, run_id: str, heard: int) -> bool:
        """Whether a process of a run was at a point after so many others."""
        return self._last_heard.get(run_id, 0) > heard

    def prepare_accounts(self, kind: Kind, *, count: int) -> None:
        """Let the accounts' videos go the way of a kind, with their tokens as they are there.

        :param count: how many posts there will be, of one account each while there are enough
        """
        source = "PULL_FROM_URL" if kind.media is Media.PULLED else "FILE_UPLOAD"
        with transaction(self._engine, writes=True) as session:
            session.execute(update(Account).values(video_source=source))
        if kind.is_expired:
            for name in self._next_accounts(count):
                self.connect(name)
            past = datetime.now(UTC) - timedelta(minutes=1)
            with transaction(self._engine, writes=True) as session:
                renewable = update(Account).where(Account.name.in_(self._connected))
                session.execute(renewable.values(access_token_expires_at=past))

    def _next_accounts(self, count: int) -> list[str]:
        """Return the accounts that the next posts go to."""
        accounts = self._accounts
        following = [accounts[(self._dropped + n) % len(accounts)] for n in range(count)]
        return following[: len(accounts)]

    def connect(self, name: str) -> None:
        """Let an account's creator consent, as with ``reelflow accounts connect``."""
        self._connected.add(name)
        process = subprocess.Popen(
            [script("reelflow"), "accounts", "connect", name, "--no-browser"],
            env=self.stack.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            url = next(line.strip() for line in process.stdout if line.startswith("http"))
            requests.get(consent.decide(url, name), timeout=30)
            process.communicate()
        assert process.returncode == 0, f"{name} could not be connected"

    def simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the simulator's control API."""
        return self.stack.running_simulator().control(method, path, body)

    def _decide(self, arrival: Arrival) -> bool:
        with self._lock:
            self._heard += 1
            self._last_heard[arrival.run_id] = self._heard
        case = self._case_of(arrival)
        return case is not None and case.kills_here(arrival)

    def _case_of(self, arrival: Arrival) -> Case | None:
        if arrival.post_id is not None:
            return self._cases.get(self._file_name(arrival.post_id))
        with self._lock:
            if arrival.run_id.startswith("backfill__"):
                return self._backfilled_by(arrival.run_id)
            if arrival.run_id not in self._case_of_run:
                # The first task of a new run: it is the run that a dropped file has waited for.
                self._case_of_run[arrival.run_id] = case = self._awaiting_run
                self._awaiting_run = None
                if case is not None:
                    case.run_id = arrival.run_id
            return self._case_of_run[arrival.run_id]

    def _backfilled_by(self, run_id: str) -> Case | None:
        """Return the case whose kind works on the run of its day."""
        for case in self._cases.values():
            if case.kind.is_backfilled and run_id.startswith(f"backfill__{case.day}T"):
                case.run_id = run_id
                return case
        return None

    def _file_name(self, post_id: int) -> str:
        if post_id not in self._file_names:
            with transaction(self._engine, writes=False) as session:
                post = session.get_one(Post, post_id)
                self._file_names[post_id] = photo_images.name_of(post)
        return self._file_names[post_id]


def wait(condition: Any, what: str, *, stage: Stage, deadline_s: float) -> None:
    """Wait for a condition.

    :raises AssertionError: the deadline passed
    """
    ends_at = time.monotonic() + deadline_s
    while not condition():
        stage.check()
        assert time.monotonic() < ends_at, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.3)
