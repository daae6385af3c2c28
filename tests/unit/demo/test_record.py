"""The note that a running stack leaves on disk."""

import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.processes import ProcessId
from demo.record import FILE_NAME, StackRecord


def record_of(folder: Path, *processes: ProcessId) -> StackRecord:
    return StackRecord(
        folder,
        "http://127.0.0.1:1",
        "admin",
        "secret",
        "http://127.0.0.1:2/reelflow/api/v1",
        "rfk_1_2",
        processes,
    )


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = record_of(tmp_path, ProcessId("scheduler", 12, 34.5), ProcessId("triggerer", 13, 35.0))
    record.write()

    assert StackRecord.read(tmp_path) == record


def test_only_its_owner_may_read_the_note_with_the_password(tmp_path: Path) -> None:
    record_of(tmp_path).write()

    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"processes": [{"pid": "x"}]}', "null"])
def test_a_missing_or_damaged_note_is_no_note(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)

    assert StackRecord.read(tmp_path) is None


def test_stopping_ends_what_runs_names_it_and_removes_the_note(tmp_path: Path) -> None:
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        alive = ProcessId("scheduler", sleeper.pid, psutil.Process(sleeper.pid).create_time())
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        ended = ProcessId("triggerer", gone.pid, 1.0)
        record = record_of(tmp_path, alive, ended)
        record.write()

        assert record.stop() == ["scheduler"]
        assert record.running() == []
        assert StackRecord.read(tmp_path) is None
    finally:
        sleeper.kill()
        sleeper.wait()
