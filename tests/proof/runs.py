"""Airflow's runs and task instances, as whoever operates it sees them, clears them, pauses them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from demo.exceptions import StackError
from demo.stack import DAG_ID
from tests.proof.stack import ProofStack

GROUP: Final = "publish_post"
#: The stages of a post, in their order.
STAGES: Final = tuple(
    f"{GROUP}.{name}"
    for name in (
        "validate",
        "extract_metadata",
        "generate_thumbnail",
        "upload_to_tiktok",
        "wait_for_publish",
        "clean_up_files",
    )
)
#: The tasks of a run, in their order.
TASKS: Final = ("find_new_uploads", *STAGES, "expire_sessions", "summarize")
#: What the ids of runs begin with that are started here.
BY_HAND: Final = "by_hand__"
#: How often Airflow is asked for the same.
TRIES: Final = 5
ENDED: Final = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    run_id: str
    run_type: str
    state: str


@dataclass(frozen=True)
class Task:
    """One task instance.

    :param label: what it is shown under: the name of its post's file
    :param scheduler: the number of the scheduler that queued it
    """

    run_id: str
    task_id: str
    map_index: int
    label: str | None
    state: str | None
    try_number: int
    scheduler: int | None


class Runs:
    """The runs of one DAG on a stack.

    They are read from Airflow's database, because its API gives 100 a page and a case asks often;
    everything else is done through the API and the command line.
    """

    def __init__(self, stack: ProofStack, dag_id: str = DAG_ID) -> None:
        self._stack = stack
        self._dag_id = dag_id
        self._path = f"/api/v2/dags/{dag_id}"
        self._engine = create_engine(stack.metadata_url, poolclass=NullPool)

    def all(self) -> list[Run]:
        """Return every run, oldest first."""
        rows = self._select("SELECT run_id, run_type, state FROM dag_run WHERE dag_id = :dag"
                            " ORDER BY id")  # fmt: skip
        return [Run(*row) for row in rows]

    def ids(self) -> set[str]:
        """Return the ids of every run."""
        return {run.run_id for run in self.all()}

    def state_of(self, run_id: str) -> str:
        """Return a run's state."""
        return next(run.state for run in self.all() if run.run_id == run_id)

    def is_idle(self) -> bool:
        """Whether no run is under way."""
        return all(run.state in ENDED for run in self.all())

    def is_due(self) -> bool:
        """Whether the scheduler is about to start a run by the DAG's schedule."""
        due = "SELECT 1 FROM dag WHERE dag_id = :dag AND next_dagrun_create_after <= now()"
        return bool(self._select(due))

    def tasks(self, run_id: str | None = None) -> list[Task]:
        """Return the task instances of a run, or of all."""
        rows = self._select(
            "SELECT run_id, task_id, map_index, rendered_map_index, state, try_number,"
            " queued_by_job_id FROM task_instance WHERE dag_id = :dag ORDER BY run_id, task_id"
        )
        return [Task(*row) for row in rows if run_id in (None, row[0])]

    def deferred(self) -> list[Task]:
        """Return the task instances that were left to the triggerer."""
        return [one for one in self.tasks() if one.state == "deferred"]

    def trigger(self, **conf: Any) -> str:
        """Start a run by hand, without a logical date; return its id."""
        run_id = f"{BY_HAND}{uuid.uuid4().hex[:12]}"
        body = {"logical_date": None, "dag_run_id": run_id, "conf": conf}
        self._stack.api("POST", f"{self._path}/dagRuns", body)
        return run_id

    def returned(self, run_id: str, task_id: str) -> Any:
        """Return what a task has returned."""
        place = f"{self._path}/dagRuns/{run_id}/taskInstances/{task_id}"
        return self._stack.api("GET", f"{place}/xcomEntries/return_value")["value"]

    def log_of(self, run_id: str, task_id: str) -> str:
        """Return what the first try of a task wrote, as Airflow shows it."""
        place = f"{self._path}/dagRuns/{run_id}/taskInstances/{task_id}"
        return json.dumps(self._stack.api("GET", f"{place}/logs/1", full_content=True))

    def miss_daily_run(self) -> None:
        """Make it as if the DAG, which is paused, had been so when its daily run was to begin."""
        for run in self.all():
            if run.run_type == "scheduled":
                self._insist("DELETE", f"{self._path}/dagRuns/{run.run_id}")

    def set_paused(self, paused: bool) -> None:
        """Pause the DAG, or let it go on."""
        self._insist("PATCH", self._path, {"is_paused": paused})

    def set_state(self, run_id: str, state: str) -> None:
        """Mark a run, and end its tasks."""
        self._insist("PATCH", f"{self._path}/dagRuns/{run_id}", {"state": state})

    def clear(
        self,
        run_id: str,
        tasks: Sequence[Task | str],
        *,
        downstream: bool = False,
    ) -> int:
        """Clear tasks of a run; return how many task instances that were.

        :param tasks: task instances, or ids of tasks for all their instances
        """
        named = [one if isinstance(one, str) else [one.task_id, one.map_index] for one in tasks]
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": run_id,
            "task_ids": named,
            "include_downstream": downstream,
        }
        answer = self._insist("POST", f"{self._path}/clearTaskInstances", body)
        return len(answer["task_instances"])

    def backfill(self, first: date, last: date, behavior: str) -> int:
        """Run ``airflow backfill create`` over some days; return the backfill's id.

        One before it whose runs have ended is closed: Airflow itself notices that twice a minute.
        The command compares its dates with the ends of days.
        """
        for (backfill_id,) in self._select(
            "SELECT id FROM backfill WHERE dag_id = :dag AND completed_at IS NULL"
        ):
            with suppress(StackError):  # Airflow noticed it just now
                self._stack.api("PUT", f"/api/v2/backfills/{backfill_id}/cancel")
        start, end = first + timedelta(days=1), last + timedelta(days=1)
        self._stack.run_airflow(
            *("backfill", "create", "--dag-id", self._dag_id),
            *("--reprocess-behavior", behavior, "--max-active-runs", "4"),
            *("--from-date", f"{start}T00:00:00+00:00", "--to-date", f"{end}T00:00:00+00:00"),
        )
        [(newest,)] = self._select("SELECT max(id) FROM backfill WHERE dag_id = :dag")
        return int(newest)

    def of_backfill(self, backfill_id: int) -> list[Run]:
        """Return the runs that a backfill makes or makes again."""
        rows = self._select(
            "SELECT r.run_id, r.run_type, r.state FROM backfill_dag_run b"
            " JOIN dag_run r ON r.id = b.dag_run_id"
            " WHERE r.dag_id = :dag AND b.exception_reason IS NULL AND b.backfill_id = :backfill",
            backfill=backfill_id,
        )
        return [Run(*row) for row in rows]

    def events(self, asset: str) -> list[dict[str, Any]]:
        """Return what was said of an asset, newest first, each with what it carries."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._stack.api(
                "GET", "/api/v2/assets/events", limit=100, offset=len(found), order_by="-timestamp"
            )
            found += page["asset_events"]
            if not page["asset_events"] or len(found) >= page["total_entries"]:
                return [event["extra"] for event in found if event["name"] == asset]

    def have_found(self, asset: str) -> bool:
        """Whether every event of an asset is a run's, and every run under way has its posts."""
        unheard = self._select(
            "SELECT e.id FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = :asset"
            " AND NOT EXISTS (SELECT 1 FROM dagrun_asset_event d WHERE d.event_id = e.id)",
            asset=asset,
        )
        return not unheard and self._have_their_posts()

    def take_no_more(self) -> bool:
        """Whether every run under way has its posts, and no event is about to start another."""
        queued = self._select("SELECT 1 FROM asset_dag_run_queue WHERE target_dag_id = :dag")
        return not queued and self._have_their_posts()

    def scheduler_beat(self) -> datetime:
        """Return when a scheduler last said that it lives; it does so between two loops."""
        [(beat,)] = self._select(
            "SELECT max(latest_heartbeat) FROM job WHERE job_type = 'SchedulerJob'"
        )
        assert isinstance(beat, datetime)
        return beat

    def post_event(self, asset: str) -> None:
        """Say through Airflow's API that there is work, as somebody else's DAG might."""
        assets = self._stack.api("GET", "/api/v2/assets", limit=100)["assets"]
        asset_id = next(one["id"] for one in assets if one["name"] == asset)
        self._stack.api("POST", "/api/v2/assets/events", {"asset_id": asset_id, "extra": {}})

    def _have_their_posts(self) -> bool:
        found = {
            one.run_id for one in self.tasks() if one.task_id == TASKS[0] and one.state in ENDED
        }
        return {run.run_id for run in self.all() if run.state not in ENDED} <= found

    def _insist(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask until Airflow does it: now and then its scheduler has what the answer needs."""
        for attempt in range(TRIES):
            try:
                return self._stack.api(method, path, body)
            except StackError:
                if attempt + 1 == TRIES:
                    raise
                time.sleep(1)
        raise AssertionError("unreachable")

    def _select(self, query: str, **values: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), {"dag": self._dag_id, **values}))
