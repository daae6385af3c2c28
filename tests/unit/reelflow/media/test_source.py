import os
from pathlib import Path

import pytest

from reelflow.exceptions import MediaUnreadableError, SourceChangedError
from reelflow.media.source import FileSource, SourceStream, open_file, open_source, read_at


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


def test_a_source_is_as_large_as_it_was_and_reads_no_more(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with path.open("r+b") as file:
        source = FileSource(file.fileno())
        source.check_unchanged()
        path.write_bytes(b"more bytes")
        assert (source.size_bytes, source.read_at(3, 100)) == (5, b"e ")
        with pytest.raises(SourceChangedError, match="5 bytes at first, then 10"):
            source.check_unchanged()


def test_a_source_that_gets_shorter_is_told_at_the_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with path.open("rb") as file:
        source = FileSource(file.fileno())
        path.write_bytes(b"b")
        with pytest.raises(SourceChangedError, match="5 bytes at first, then 1"):
            source.read_at(0, 5)


def test_a_source_can_be_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_file(path) as source:
        stream = SourceStream(source)
        assert stream.read(2) == b"by"
        assert (stream.seek(-1, os.SEEK_END), stream.read(), stream.read()) == (4, b"s", b"")
        assert (stream.seek(-3, os.SEEK_CUR), stream.read(1)) == (2, b"t")
