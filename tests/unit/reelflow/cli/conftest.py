"""Fixtures of the command line's tests: the app in this process, on a ledger in a tmp folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from reelflow.cli.app import app
from reelflow.services.workspace import Workspace
from tests import factories

Run = Callable[..., Result]


@pytest.fixture
def bare_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``reelflow`` with a data folder and a key, but no ledger yet."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "REELFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REELFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REELFLOW_FERNET_KEY", factories.FERNET_KEY)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LOGNAME", "mia")

    def run(*words: object, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=stdin)

    return run


@pytest.fixture
def run(workspace: Workspace, bare_run: Run) -> Run:
    """Run ``reelflow`` on the same ledger as ``workspace``."""
    return bare_run
