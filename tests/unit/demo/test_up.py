"""What ``make up`` tells of a stack that runs."""

from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from demo import __main__ as demo
from demo.processes import ProcessId
from demo.record import StackRecord


def test_where_the_api_is_and_its_key_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = psutil.Process()
    record = StackRecord(
        folder=tmp_path,
        url="http://127.0.0.1:1",
        user="admin",
        password="secret",
        web_url="http://127.0.0.1:2/reelflow/api/v1",
        api_key="rfk_1_[2]",
        processes=(ProcessId("web", here.pid, here.create_time()),),
    )
    record.write()
    monkeypatch.setattr(demo, "UP_FOLDER", tmp_path)
    told = CliRunner().invoke(demo.app, ["up"]).output.splitlines()
    assert "API       http://127.0.0.1:2/reelflow/api/v1" in told
    assert "API key   rfk_1_[2]" in told
