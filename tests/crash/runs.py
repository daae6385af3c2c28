"""The DAG's runs, as whoever operates Airflow sees, clears and backfills them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from demo.exceptions import StackError
from demo.stack import DAG_ID, Stack
from tests.crash.arbiter import Arrival

RUNS = f"/api/v2/dags/{DAG_ID}/dagRuns"
BACKFILLS = "/api/v2/backfills"
ENDED = frozenset({"success", "failed"})


class Runs:
    """The runs of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def is_idle(self) -> bool:
        """Whether no run is under way."""
        under_way = self._stack.api("GET", RUNS, limit=1, state=["queued", "running"])
        return int(under_way["total_entries"]) == 0

    def start_run(self) -> str:
        """Start a run by hand, and return its id."""
        run_id = f"by_hand__{uuid.uuid4().hex}"
        # Of an answer that is an error, too, the run may have come: another would be refused.
        self._insist(
            "POST",
            RUNS,
            {"logical_date": None, "dag_run_id": run_id},
            is_done=lambda: self._exists(run_id),
        )
        return run_id

    def has_ended(self, run_id: str) -> bool:
        """Whether nothing more happens in a run, unless it is cleared."""
        return self._stack.api("GET", f"{RUNS}/{run_id}")["state"] in ENDED

    def clear(self, arrivals: Sequence[Arrival]) -> None:
        """Clear task instances of one run that has ended, and what follows them.

        Never of a run under way: Airflow 3.3.2 gives a cleared task instance a new id, and a
        scheduler that is just looking at the old one dies of a StaleDataError (seen here, on
        SQLite).
        """
        tasks = [
            [one.task_id, one.map_index] if one.map_index >= 0 else one.task_id for one in arrivals
        ]
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": arrivals[0].run_id,
            "task_ids": tasks,
            "include_downstream": True,
        }
        self._insist("POST", f"/api/v2/dags/{DAG_ID}/clearTaskInstances", body)

    def backfill(self, first: date, last: date) -> None:
        """Start a backfill over some days, also over those that have a run already.

        One before it whose runs have ended is closed: Airflow itself notices that twice a minute.
        """
        for one in self._backfills():
            if one["completed_at"] is None:
                with suppress(StackError):  # Airflow noticed it just now
                    self._stack.api("PUT", f"{BACKFILLS}/{one['id']}/cancel")
        known = {one["id"] for one in self._backfills()}
        body = {
            "dag_id": DAG_ID,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last + timedelta(days=1)}T00:00:00Z",
            "reprocess_behavior": "completed",
            "max_active_runs": (last - first).days + 1,
        }
        # Of an answer that is an error, too, a backfill may have come: another would be refused.
        self._insist(
            "POST",
            BACKFILLS,
            body,
            is_done=lambda: {one["id"] for one in self._backfills()} > known,
        )

    def _exists(self, run_id: str) -> bool:
        with suppress(StackError):
            return bool(self._stack.api("GET", f"{RUNS}/{run_id}"))
        return False

    def _backfills(self) -> list[dict[str, Any]]:
        """Return every backfill of the DAG."""
        found = self._stack.api("GET", BACKFILLS, dag_id=DAG_ID, limit=1000)["backfills"]
        return list(found)

    def _insist(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        *,
        is_done: Callable[[], bool] = lambda: False,
    ) -> None:
        """Call Airflow's API until a database that was busy takes it."""
        for _ in range(5):
            try:
                self._stack.api(method, path, body)
            except StackError as exc:
                error = exc
                time.sleep(0.5)
                if is_done():
                    return
            else:
                return
        raise error
