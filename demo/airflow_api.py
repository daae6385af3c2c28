"""Speaks to Airflow's REST API as the stack's user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from demo.exceptions import StackError

TIMEOUT_S = 30.0
#: States of a run in which nothing more happens.
ENDED_STATES = frozenset({"success", "failed"})
#: A loaded server may time out or find its SQLite locked; reading again does no harm. A refused
#: connection is not tried again, because whoever polls asks again anyway.
READ_AGAIN = Retry(
    total=4,
    connect=0,
    backoff_factor=0.5,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=("GET",),
    raise_on_status=False,
)


class AirflowApi:
    """A client of one API server; it asks for its token when it first needs one.

    :param base_url: the server's address, without a path
    """

    def __init__(self, base_url: str, *, user: str, password: str) -> None:
        self.base_url = base_url
        self._user = user
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor .netrc for our own server
        self._session.mount("http://", HTTPAdapter(max_retries=READ_AGAIN))

    def call(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Call a route and return its JSON, ``None`` for an empty body.

        :param path: as in the API's reference, from ``/api/v2`` on
        :param query: query parameters
        :raises StackError: if the server answers with an error
        :raises requests.RequestException: if it does not answer
        """
        if "Authorization" not in self._session.headers:
            self._log_in()
        response = self._session.request(
            method, self.base_url + path, json=json, params=query, timeout=TIMEOUT_S
        )
        if not response.ok:
            raise StackError(
                f"{method} {path} answered {response.status_code}: {response.text[:500]}"
            )
        return response.json() if response.content else None

    def health(self) -> dict[str, str]:
        """Return the health of each component by its name; none before the server answers."""
        try:
            response = self._session.get(
                f"{self.base_url}/api/v2/monitor/health", timeout=TIMEOUT_S
            )
            response.raise_for_status()
        except requests.RequestException:
            return {}
        return {name: str((one or {}).get("status")) for name, one in response.json().items()}

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self.call("GET", "/api/v2/dags", limit=100)["dags"]}

    def import_errors(self) -> list[str]:
        """Return what broke while DAG files were parsed."""
        answer = self.call("GET", "/api/v2/importErrors", limit=100)
        return [f"{one['filename']}:\n{one['stack_trace']}" for one in answer["import_errors"]]

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        runs: list[dict[str, Any]] = self.call("GET", path, limit=100, order_by="run_after")[
            "dag_runs"
        ]
        return runs

    def is_idle(self, dag_id: str) -> bool:
        """Whether no run of a DAG is under way, and none is due that was not made yet.

        At its first start Airflow makes the run of the last time that was due; whoever waits for a
        run of another kind waits for that one to end first.
        """
        next_at = self.call("GET", f"/api/v2/dags/{dag_id}")["next_dagrun_run_after"]
        is_ahead = next_at is None or datetime.fromisoformat(next_at) > datetime.now(UTC)
        return is_ahead and all(run["state"] in ENDED_STATES for run in self.dag_runs(dag_id))

    def _log_in(self) -> None:
        response = self._session.post(
            f"{self.base_url}/auth/token",
            json={"username": self._user, "password": self._password},
            timeout=TIMEOUT_S,
        )
        if not response.ok:
            raise StackError(f"Airflow refused to log {self._user} in: {response.status_code}")
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
