import os
from pathlib import Path

import pytest

from reelflow.exceptions import MediaUnreadableError
from reelflow.media.source import open_source, read_at


def assert_refused(path: Path, words: str) -> None:
    with pytest.raises(MediaUnreadableError, match=words), open_source(path):
        pass


def test_a_plain_file_is_opened_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        assert read_at(fd, 1, 3) == b"yte"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_read_past_the_end_is_short(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        assert read_at(fd, 3, 100) == b"es"
        assert read_at(fd, 100, 100) == b""


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.mp4", "does not exist")
    assert_refused(tmp_path / ("n" * 300), "name is too long")
    assert_refused(Path("nul\0name.mp4"), "cannot be opened")


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_bytes(b"secret")
    link = tmp_path / "clip.mp4"
    link.symlink_to(target)
    assert_refused(link, "is a symbolic link")


def test_a_folder_and_a_file_used_as_one_are_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path, "not a plain file")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    assert_refused(tmp_path / "clip.mp4" / "more.mp4", "not a folder")


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.mp4")
    assert_refused(tmp_path / "clip.mp4", "not a plain file")


def test_a_device_is_refused() -> None:
    assert_refused(Path("/dev/null"), "not a plain file")
