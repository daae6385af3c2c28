"""The DAG files as a real DAG processor stores them, and what Airflow's API then takes for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.airflow_server import DEADLINE_S, REPOSITORY, AirflowServer

FILES = sorted(path.stem for path in (REPOSITORY / "dags").glob("*.py"))
#: One is no DAG without a setting of its own.
DAG_IDS = [name for name in FILES if name != "wake_on_s3_notifications"]
PUBLISH = "publish_to_tiktok"


class Airflow:
    """An API server, and the token of somebody who may do everything."""

    def __init__(self, server: AirflowServer) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {server.token('root')}"}

    def parse(self, **settings: str) -> None:
        """Let a DAG processor start, parse every file once, and end."""
        self.server.run("dag-processor", "--num-runs", "1", **settings)

    def ask(self, method: str, path: str, json: Any = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.server.address}/api/v2{path}",
            json=json,
            headers=self._headers,
            timeout=DEADLINE_S,
        )

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> requests.Response:
        body = {"logical_date": None, "conf": conf}
        return self.ask("POST", f"/dags/{dag_id}/dagRuns", body)

    def runs(self, dag_id: str) -> int:
        return int(self.get(f"/dags/{dag_id}/dagRuns")["total_entries"])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home: Path = tmp_path_factory.mktemp("home")
    server = AirflowServer({"REELFLOW_HOME": str(home)})
    try:
        known = Airflow(server)
        known.parse()
        yield known
    finally:
        server.kill()


def test_whoever_parses_the_dags_has_made_their_pools(airflow: Airflow) -> None:
    assert {dag["dag_id"] for dag in airflow.get("/dags")["dags"]} == set(DAG_IDS)
    pools = {pool["name"]: pool["slots"] for pool in airflow.get("/pools")["pools"]}
    assert pools == {"default_pool": 128, "reelflow_uploads": 32, "reelflow_media": 16}
    for dag_id in DAG_IDS:
        assert airflow.get(f"/dagWarnings?dag_id={dag_id}")["dag_warnings"] == []


@pytest.mark.parametrize("dag_id", [dag_id for dag_id in DAG_IDS if dag_id != "sweep_storage"])
def test_a_dry_run_is_refused_by_every_way_to_a_run(airflow: Airflow, dag_id: str) -> None:
    refused = airflow.trigger(dag_id, {"dry_run": True})
    assert refused.status_code == 400
    assert "Invalid input for param dry_run" in refused.text
    assert "reelflow plan" in refused.text
    assert airflow.runs(dag_id) == 0


def test_a_backfill_with_a_dry_run_is_refused_before_it_makes_a_run_that_would_keep_it(
    airflow: Airflow,
) -> None:
    days = {"from_date": "2026-11-01T00:00:00Z", "to_date": "2026-11-03T00:00:00Z"}
    body = {"dag_id": PUBLISH, **days, "dag_run_conf": {"dry_run": True}}
    refused = airflow.ask("POST", "/backfills", body)
    assert refused.status_code == 422, refused.text
    assert "Invalid input for param dry_run" in refused.text
    assert airflow.runs(PUBLISH) == 0


def test_a_param_of_the_wrong_type_is_refused_with_its_value(airflow: Airflow) -> None:
    refused = airflow.trigger("sweep_storage", {"dry_run": "perhaps"})
    assert refused.status_code == 400
    assert "'perhaps' is not of type 'boolean'" in refused.text
    taken = airflow.trigger("sweep_storage", {"dry_run": True})
    assert taken.status_code == 200, taken.text


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_run_whose_deadline_is_to_come_can_be_cleared(airflow: Airflow, dag_id: str) -> None:
    run_id = airflow.trigger(dag_id, {}).json()["dag_run_id"]
    body = {"dry_run": False, "only_failed": False}
    cleared = airflow.ask("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", body)
    assert cleared.status_code == 200, cleared.text


def test_parsed_again_a_dag_is_the_same_version(airflow: Airflow) -> None:
    airflow.parse()
    for dag_id in DAG_IDS:
        versions = airflow.get(f"/dags/{dag_id}/dagVersions")
        assert versions["total_entries"] == 1, dag_id


# Last, because it leaves import errors behind.
def test_a_wrong_setting_is_an_import_error_that_names_it(airflow: Airflow) -> None:
    airflow.parse(REELFLOW_MAX_ACTIVE_RUNS="none")
    errors = airflow.get("/importErrors")["import_errors"]
    assert {Path(error["filename"]).stem for error in errors} == set(DAG_IDS)
    for error in errors:
        assert "REELFLOW_MAX_ACTIVE_RUNS is 'none'" in error["stack_trace"]
