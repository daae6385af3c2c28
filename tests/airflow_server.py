"""Airflow's API as its reference documents it, for one DAG of daily runs; no Airflow is needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "eyJ.the-token"
DAG = "/api/v2/dags/publish_to_tiktok"
DAY = timedelta(days=1)

Answer = tuple[int, Any]


@dataclass
class AirflowServer:
    """One DAG, its runs, and what became of them.

    :ivar scripted: an answer in the place of its own, by the path
    :ivar maximum_page_limit: most runs in one answer
    """

    url: str
    now: datetime = datetime(2026, 12, 1, 12, tzinfo=UTC)
    is_paused: bool = False
    maximum_page_limit: int = 100
    runs: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    import_errors: list[dict[str, Any]] = field(default_factory=list)
    scripted: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def add_run(
        self, date: datetime | None, *, state: str = "success", run_id: str = "", **other: Any
    ) -> str:
        """Add a run of the day that starts at a date; None for one that an asset started."""
        end = None if date is None else date + DAY
        run = {
            "dag_run_id": run_id or f"scheduled__{end and end.isoformat()}",
            "dag_id": "publish_to_tiktok",
            "logical_date": date and _z(date),
            "data_interval_start": date and _z(date),
            "data_interval_end": end and _z(end),
            "run_type": "scheduled",
            "state": state,
            **other,
        }
        self.runs.append(run)
        return str(run["dag_run_id"])

    def answer(self, method: str, target: str, token: str | None, body: Any) -> Answer:
        """Answer one request."""
        self.asked.append((method, target, body))
        parts = urlsplit(target)
        if parts.path in self.scripted:
            return self.scripted[parts.path]
        if token != f"Bearer {TOKEN}":
            return 403, {"detail": "Invalid JWT token"}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match method, parts.path:
            case "GET", path if path == DAG:
                return 200, {"dag_id": "publish_to_tiktok", "is_paused": self.is_paused}
            case "GET", path if path == f"{DAG}/dagRuns":
                return self._listed(query)
            case "GET", "/api/v2/dagWarnings":
                return 200, {"dag_warnings": [{"message": one} for one in self.warnings]}
            case "GET", "/api/v2/importErrors":
                return 200, {"import_errors": self.import_errors}
            case "POST", "/api/v2/backfills/dry_run":
                return self._dry_run(body)
        return 404, {"detail": "Not Found"}

    def _listed(self, query: dict[str, str]) -> Answer:
        first, last = (
            datetime.fromisoformat(query[f"logical_date_{bound}"]) for bound in ("gte", "lte")
        )
        found = [
            run
            for run in self.runs
            if run["logical_date"] and first <= datetime.fromisoformat(run["logical_date"]) <= last
        ]
        found.sort(key=lambda run: run["logical_date"])
        offset = int(query["offset"])
        limit = min(int(query["limit"]), self.maximum_page_limit)
        page = found[offset : offset + limit]
        return 200, {"dag_runs": page, "total_entries": len(found)}

    def _dry_run(self, body: dict[str, Any]) -> Answer:
        first, last = (datetime.fromisoformat(body[name]) for name in ("from_date", "to_date"))
        if first > last:
            return 422, {"detail": f"from_date ({first}) must not be after to_date ({last})."}
        if first >= self.now and last >= self.now:
            return 422, {"detail": "Backfill cannot be executed for future dates."}
        states = {run["logical_date"]: run["state"] for run in self.runs}
        behavior = body["reprocess_behavior"]
        again = {"none": (), "failed": ("failed",), "completed": ("failed", "success")}[behavior]
        end = first.replace(hour=0, minute=0, second=0, microsecond=0)
        chosen = []
        while end <= last:
            date = _z(end - DAY)
            if first <= end < self.now and states.get(date) in (None, *again):
                chosen.append({"logical_date": date, "partition_key": None, "partition_date": None})
            end += DAY
        return 200, {"backfills": chosen, "total_entries": len(chosen)}


def _z(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@contextmanager
def airflow_server() -> Iterator[AirflowServer]:
    """Run a server on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(content) if content else None
            token = self.headers.get("Authorization")
            status, document = airflow.answer(self.command, self.path, token, body)
            sent = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    airflow = AirflowServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield airflow
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
