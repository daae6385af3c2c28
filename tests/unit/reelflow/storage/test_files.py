"""Writing small files whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from reelflow.exceptions import StorageFullError
from reelflow.storage.files import write_atomically


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_reader_sees_all_of_a_file_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reason.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert contents(tmp_path) == {"reason.json": b"new"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"text")
    assert contents(tmp_path) == {"reason.json": b"new"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    write_atomically(tmp_path / "cover.jpg", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFullError, match="no room"):
        write_atomically(tmp_path / "cover.jpg", b"new")
    assert contents(tmp_path) == {"cover.jpg": b"old"}


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "cover.jpg", b"")


def test_a_name_of_any_length_that_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("é" * 127), b"whole")
    assert contents(tmp_path) == {"é" * 127: b"whole"}
