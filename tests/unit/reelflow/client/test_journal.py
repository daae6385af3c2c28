import os
import time
from pathlib import Path

import pytest

from reelflow.client.journal import UploadJournal, journal_folder


def test_an_upload_is_kept_until_it_is_forgotten(journal: UploadJournal) -> None:
    assert journal.find("k") is None
    journal.keep("k", "u1")
    journal.keep("k", "u2")
    assert journal.find("k") == "u2"
    journal.forget("k")
    journal.forget("k")
    assert journal.find("k") is None


def test_others_of_this_machine_cannot_read_it(tmp_path: Path) -> None:
    UploadJournal(tmp_path / "uploads").keep("k", "u1")
    assert (tmp_path / "uploads").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("content", [b"", b"../../etc", b"\xff\xfe", b"a b", b"x" * 1000])
def test_what_is_no_id_is_not_believed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    assert UploadJournal(tmp_path).find("k") is None


def test_a_folder_that_cannot_be_used_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = UploadJournal(tmp_path / "file" / "uploads")
    journal.keep("k", "u1")
    journal.forget("k")
    assert journal.find("k") is None


def test_what_no_server_knows_any_more_is_dropped(tmp_path: Path) -> None:
    journal = UploadJournal(tmp_path)
    journal.keep("old", "u1")
    a_month_ago = time.time() - 30 * 86_400
    os.utime(tmp_path / "old", (a_month_ago, a_month_ago))
    journal.keep("new", "u2")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_the_folder_is_where_state_of_programs_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mia")
    assert journal_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/reelflow/uploads")
    for environment in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}):
        assert journal_folder(environment) == Path("/home/mia/.local/state/reelflow/uploads")
