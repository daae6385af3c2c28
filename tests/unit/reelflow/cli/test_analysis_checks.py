import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelflow.cli.analysis_checks import check_c2pa, check_detection
from reelflow.cli.findings import Finding, Status
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.exceptions import AnalysisUnavailableError, ConfigurationError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from tests import factories
from tests.detection_server import DetectionServer, Reply

KEY = "very-secret-1234"


@pytest.fixture
def server() -> Iterator[DetectionServer]:
    with DetectionServer() as server:
        yield server


@pytest.fixture
def settings(workspace: Workspace, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url="", fernet_key=factories.FERNET_KEY)


@pytest.fixture
def asking(workspace: Workspace, make_account: Callable[..., Account]) -> None:
    """Two accounts that ask the engine, one that would but ignores it, and one that does not."""
    for name, policy, engine in (
        ("one", AnalysisPolicy.LABEL, AnalysisEngine.HTTP),
        ("two", AnalysisPolicy.HOLD, AnalysisEngine.HTTP),
        ("three", AnalysisPolicy.IGNORE, AnalysisEngine.HTTP),
        ("four", AnalysisPolicy.REJECT, AnalysisEngine.PROVENANCE),
    ):
        make_account(name)
        with workspace.ledger.write() as session:
            account = accounts.by_name(session, name)
            account.analysis_policy, account.analysis_engine = policy, engine


def check(settings: Settings, url: str | None) -> list[Finding]:
    fields = {"conn_type": "http", "host": url, "password": KEY}
    environment = {"AIRFLOW_CONN_DETECTION_DEFAULT": json.dumps(fields)} if url else {}
    return list(check_detection(settings, environment))


def test_the_c2pa_library_is_told_with_its_version() -> None:
    [finding] = check_c2pa()
    assert finding.status is Status.OK
    assert "c2pa-python" in finding.message


def test_without_the_c2pa_library_the_fix_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c2pa").mkdir()
    (tmp_path / "c2pa" / "__init__.py").write_text("raise ImportError('no libc2pa_c.so')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "c2pa", raising=False)
    [finding] = check_c2pa()
    assert finding.status is Status.PROBLEM
    assert "no libc2pa_c.so" in finding.message
    assert finding.fix == "pip install --force-reinstall c2pa-python"


def test_nobody_asks_so_nothing_is_said(
    settings: Settings, account: Account, server: DetectionServer
) -> None:
    assert check(settings, server.url) == []
    assert server.calls == []


def test_an_engine_that_answers_is_asked_once_with_the_key(
    settings: Settings, asking: None, server: DetectionServer
) -> None:
    [finding] = check(settings, server.url)
    assert (finding.check, finding.status) == ("detection", Status.OK)
    [call] = server.calls
    assert (call.method, call.headers["authorization"]) == ("GET", f"Bearer {KEY}")
    assert KEY not in repr(finding)


def test_a_missing_connection_names_the_accounts_that_need_it(
    settings: Settings, asking: None
) -> None:
    [finding] = check(settings, None)
    assert finding.status is Status.WARNING
    assert finding.message.startswith("one, two ask a detection engine")
    assert "AIRFLOW_CONN_DETECTION_DEFAULT" in str(finding.fix)


def test_a_key_that_is_refused_is_a_problem(
    settings: Settings, asking: None, server: DetectionServer
) -> None:
    server.interruptions = [Reply(401, b'{"error": "bad key"}')]
    with pytest.raises(ConfigurationError, match="bad key; check host and password"):
        check(settings, server.url)
    assert len(server.calls) == 1


def test_where_nothing_answers_it_is_tried_once(
    settings: Settings, asking: None, server: DetectionServer
) -> None:
    server.interruptions = [Reply(503)]
    with pytest.raises(AnalysisUnavailableError, match="HTTP 503"):
        check(settings, server.url)
    server.stop()
    with pytest.raises(AnalysisUnavailableError, match="did not answer"):
        check(settings, server.url)


def test_what_tells_of_any_analysis_is_no_engine(
    settings: Settings, asking: None, server: DetectionServer
) -> None:
    server.interruptions = [Reply(200, b'{"status": "completed"}')]
    [finding] = check(settings, server.url)
    assert finding.status is Status.PROBLEM
    assert "an analysis that nobody began" in finding.message


def test_without_a_ledger_its_own_check_tells(tmp_path: Path) -> None:
    bare = Settings(home=tmp_path / "none", database_url="", fernet_key=factories.FERNET_KEY)
    assert check(bare, "https://detector.example.com") == []
    assert not (tmp_path / "none").exists()
