import json
from pathlib import Path

import pytest

from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests import factories
from tests.airflow_server import TOKEN, airflow_server
from tests.data_folder import data_folder
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

SECRET = "very-secret-1234"
HEALTHY = {
    name: {"status": "healthy"}
    for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")
}


@pytest.fixture
def answering(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that answers as TikTok does, then as Airflow does, and is set as both."""
    refusal = {"error": {"code": "access_token_invalid", "message": "no"}}
    server.answers += [
        http(401, json.dumps(refusal).encode()),
        http(200, json.dumps(HEALTHY).encode()),
    ]
    url = f"http://{server.address}"
    fields = {"conn_type": "tiktok", "host": url, "login": "key", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    return url


def test_all_in_order_ends_with_exit_code_0(run: Run, account: Account, answering: str) -> None:
    result = run("doctor", "--airflow-url", answering)
    assert result.exit_code == 0, result.output
    assert "0 problems." in result.stdout
    assert SECRET not in result.output


def test_airflows_own_setting_names_its_address(
    run: Run, account: Account, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", answering)
    lines = [line.split() for line in run("doctor").stdout.splitlines()]
    assert ["ok", "Airflow", answering, "answers"] in lines


@pytest.mark.parametrize(
    ("words", "setting", "status"),
    [([], "", "problem"), (["--plain-http"], "", "ok"), ([], "true", "ok")],
)
def test_the_token_goes_unencrypted_to_another_machine_only_by_option_or_setting(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], setting: str, status: str
) -> None:
    monkeypatch.setenv("REELFLOW_AIRFLOW_TOKEN", TOKEN)
    monkeypatch.setenv("REELFLOW_AIRFLOW_PLAIN_HTTP", setting)
    with airflow_server() as airflow:
        # It leads to this machine and is none of its loopback addresses, so it counts as another's.
        url = airflow.url.replace("127.0.0.1", "0.0.0.0")
        result = run("doctor", "--json", "--airflow-url", url, *words)
    [dag] = [check for check in json.loads(result.stdout)["checks"] if check["check"] == "DAG"]
    assert dag["status"] == status
    assert ("unencrypted" in dag["message"]) == (status == "problem")


def test_json_has_every_check_with_its_status_and_fix(
    run: Run, account: Account, answering: str
) -> None:
    result = run("doctor", "--json", "--airflow-url", answering)
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert [check["check"] for check in report["checks"]] == [
        *("libav", "ffmpeg", "C2PA", "data folder", "free space", "Fernet key"),
        *("ledger", "accounts", "stored tokens", "connection", "TikTok"),
        *("public address", "webhooks"),
        *("Airflow", "metadatabase", "scheduler", "dag_processor", "triggerer"),
    ]
    assert {frozenset(check) for check in report["checks"]} == {
        frozenset({"check", "status", "message", "fix"})
    }


def test_everything_wrong_at_once_is_all_told_with_exit_code_1(
    bare_run: Run, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "short")
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", f"tiktok://key:{SECRET}@host:x")
    result = bare_run("doctor", "--json", "--airflow-url", closed_url)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    problems = {one["check"] for one in report["checks"] if one["status"] == "problem"}
    assert problems == {"Fernet key", "ledger", "TikTok", "Airflow"}
    assert SECRET not in result.output


def test_settings_that_cannot_be_read_leave_the_other_checks(
    bare_run: Run, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "many")
    report = json.loads(bare_run("doctor", "--json", "--airflow-url", closed_url).stdout)
    assert [(one["check"], one["status"]) for one in report["checks"]] == [
        *(("libav", "ok"), ("ffmpeg", "ok"), ("C2PA", "ok")),
        *(("settings", "problem"), ("Airflow", "problem")),
    ]
    assert "REELFLOW_BATCH_SIZE is 'many'" in report["checks"][3]["message"]


def test_bucket_and_engine_are_checked_where_they_are_used(
    run: Run,
    workspace: Workspace,
    account: Account,
    closed_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = {"analysis_policy": AnalysisPolicy.HOLD, "analysis_engine": AnalysisEngine.HTTP}
    factories.change_account(workspace, account.id, **asks)
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket?connection=media")
    report = json.loads(run("doctor", "--json", "--airflow-url", closed_url).stdout)
    found = {one["check"]: one for one in report["checks"]}
    assert found["storage"]["status"] == "problem"
    assert "set AIRFLOW_CONN_MEDIA" in found["storage"]["message"]
    assert found["detection"]["status"] == "warning"
    assert "data folder" not in found


@pytest.mark.parametrize("columns", ["40", "100"])
def test_hostile_folder_names_are_shown_and_not_obeyed(
    run: Run,
    workspace: Workspace,
    closed_url: str,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    (data_folder(workspace).inbox / "[red]\x1b[2J\n").mkdir()
    result = run("doctor", "--airflow-url", closed_url)
    assert result.exit_code == 1
    assert "[red]�[2J" in "".join(line.strip() for line in result.stdout.splitlines())
    assert "\x1b" not in result.stdout


def test_the_doctor_changes_nothing(
    bare_run: Run, closed_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path / "none"))
    bare_run("doctor", "--airflow-url", closed_url)
    assert list(tmp_path.iterdir()) == []
