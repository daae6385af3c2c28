import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from reelflow.cli import network_checks
from reelflow.cli.findings import Finding, Status, run_check
from reelflow.cli.network_checks import check_airflow, check_dag, check_tiktok
from reelflow.exceptions import ConfigurationError, TikTokUnreachableError
from reelflow.settings import Settings
from reelflow.tiktok_app_variable import VARIABLE
from tests.airflow_server import TOKEN, AirflowServer, airflow_server
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

OK, WARNING, PROBLEM = Status.OK, Status.WARNING, Status.PROBLEM
HEALTHY = {"status": "healthy"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def connection(host: str, **fields: Any) -> dict[str, str]:
    return {VARIABLE: json.dumps({"conn_type": "tiktok", "host": host, **fields})}


def refusal(code: str, status: int) -> bytes:
    return http(status, json.dumps({"error": {"code": code, "message": "no"}}).encode())


def health(**components: Any) -> bytes:
    body = dict.fromkeys(network_checks.COMPONENTS, HEALTHY) | components
    return http(200, json.dumps(body).encode())


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_connection_that_airflow_may_hold_is_a_warning(settings: Settings) -> None:
    [finding] = check_tiktok(settings, {})
    assert finding.status is WARNING
    assert "Airflow may hold the connection tiktok_app itself" in finding.message


def test_tiktok_shows_itself_by_refusing_a_token_of_nobody(
    settings: Settings, server: ScriptedServer
) -> None:
    server.answers.append(refusal("access_token_invalid", 401))
    host = f"http://{server.address}"
    told, answers = check_tiktok(settings, connection(host))
    assert (told.status, told.message) == (OK, f"tiktok_app has the host {host}")
    assert answers.status is OK
    assert server.received[0].line.startswith("POST /v2/post/publish/status/fetch/ ")


def test_a_host_that_accepts_any_token_is_a_problem(
    settings: Settings, server: ScriptedServer
) -> None:
    server.answers.append(ok({"status": "PUBLISH_COMPLETE"}))
    [*_, finding] = check_tiktok(settings, connection(f"http://{server.address}"))
    assert finding.status is PROBLEM
    assert "accepts a token of nobody" in finding.message


def test_a_host_where_nothing_listens_is_an_error(settings: Settings, closed_url: str) -> None:
    with pytest.raises(TikTokUnreachableError, match="No connection"):
        list(check_tiktok(settings, connection(closed_url)))


def test_a_host_that_would_get_tokens_unencrypted_is_an_error(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="unencrypted"):
        list(check_tiktok(settings, connection("http://tiktok.example")))


def test_a_port_beside_the_host_is_not_used_and_said_so(
    settings: Settings, server: ScriptedServer
) -> None:
    server.answers.append(refusal("access_token_invalid", 401))
    found = check_tiktok(settings, connection(f"http://{server.address}", port=9))
    [warning] = [finding for finding in found if finding.status is WARNING]
    assert warning.message == "the port 9 of tiktok_app is not used"


def test_a_healthy_airflow_is_told_component_by_component(server: ScriptedServer) -> None:
    server.answers.append(health())
    found = list(check_airflow(f"http://{server.address}/"))
    assert [finding.check for finding in found] == ["Airflow", *network_checks.COMPONENTS]
    assert {finding.status for finding in found} == {OK}
    assert server.received[0].line.startswith("GET /api/v2/monitor/health ")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": "unhealthy"}, "Airflow says unhealthy"),
        ({"status": None}, "is not running"),
        (None, "is not running"),
        ("fine", "is not running"),
    ],
)
def test_a_component_that_is_not_healthy_is_a_problem_with_its_command(
    server: ScriptedServer, answer: Any, said: str
) -> None:
    server.answers.append(health(dag_processor=answer))
    found = by_name(list(check_airflow(f"http://{server.address}")))
    assert found["dag_processor"].status is PROBLEM
    assert found["dag_processor"].message == said
    assert found["dag_processor"].fix is not None
    assert "`airflow dag-processor`" in found["dag_processor"].fix
    assert found["triggerer"].status is OK


@pytest.mark.parametrize(
    "answer",
    [http(404, b"<h1>no</h1>"), http(200, b'{"ok": true}'), http(500), http(200, b"[1]")],
)
def test_something_else_at_airflows_address_is_a_problem(
    server: ScriptedServer, answer: bytes
) -> None:
    server.answers.append(answer)
    [finding] = check_airflow(f"http://{server.address}")
    assert finding.status is PROBLEM
    assert "not as Airflow 3 does" in finding.message


@pytest.mark.parametrize("url", [None, "", "nonsense", "ftp://localhost", "http://"])
def test_an_address_that_is_none_or_answers_nothing_is_told(
    url: str | None, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", closed_url)  # so that no Airflow of this machine answers
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    [finding] = check_airflow(url)
    assert finding.status is (PROBLEM if url else WARNING)
    assert finding.message.startswith("nothing answers at ")
    assert finding.fix is not None
    assert "--airflow-url" in finding.fix


def test_credentials_in_airflows_address_are_not_shown(closed_url: str) -> None:
    url = closed_url.replace("http://", "http://admin:hunter2@")
    [finding] = check_airflow(url)
    assert "hunter2" not in f"{finding.message} {finding.fix}"


# The DAG.


@pytest.fixture
def airflow() -> Iterator[AirflowServer]:
    with airflow_server() as server:
        yield server


@pytest.fixture
def may_ask(settings: Settings) -> Settings:
    """Settings with a token of Airflow's."""
    return settings.model_copy(update={"airflow_token": SecretStr(TOKEN)})


def test_without_a_token_nothing_is_asked_about_the_dag(
    settings: Settings, airflow: AirflowServer
) -> None:
    assert list(check_dag(settings, airflow.url)) == []
    assert airflow.asked == []


def test_a_dag_that_runs_is_told(may_ask: Settings, airflow: AirflowServer) -> None:
    [finding] = check_dag(may_ask, airflow.url)
    assert finding.status is Status.OK
    assert finding.message == ("publish_to_tiktok is parsed and not paused, and its pools exist")


def test_a_missing_pool_is_a_problem_with_the_commands_that_make_it(
    may_ask: Settings, airflow: AirflowServer
) -> None:
    airflow.warnings = ["Dag 'publish_to_tiktok' references non-existent pools: ['reelflow_media']"]
    [finding] = check_dag(may_ask, airflow.url)
    assert finding.status is Status.PROBLEM
    assert "non-existent pools: ['reelflow_media']" in finding.message
    assert "`airflow pools set reelflow_media 16 Reelflow`" in (finding.fix or "")


def test_a_file_that_cannot_be_parsed_is_a_problem_with_what_is_wrong(
    may_ask: Settings, airflow: AirflowServer
) -> None:
    why = "reelflow.exceptions.ConfigurationError: settings are wrong: REELFLOW_BATCH_SIZE is 'x'"
    trace = f"Traceback (most recent call last):\n  File ...\n{why}\n"
    airflow.import_errors = [{"filename": "publish_to_tiktok.py", "stack_trace": trace}]
    [finding] = check_dag(may_ask, airflow.url)
    assert (finding.status, finding.message) == (
        Status.PROBLEM,
        f"publish_to_tiktok.py: {why}",
    )


def test_a_paused_dag_is_a_problem(may_ask: Settings, airflow: AirflowServer) -> None:
    airflow.is_paused = True
    [finding] = run_check("DAG", lambda: check_dag(may_ask, airflow.url))
    assert finding.status is Status.PROBLEM
    assert "airflow dags unpause publish_to_tiktok" in finding.message
