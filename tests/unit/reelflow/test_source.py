import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Buffer

from reelflow.exceptions import MediaUnreadableError, SourceChangedError
from reelflow.source import (
    BytesSource,
    FileSource,
    file_identity,
    identity_of,
    open_file,
    open_source,
    read_at,
)


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


def test_a_source_that_grows_gives_no_byte_of_what_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with path.open("r+b") as file:
        source = FileSource(file.fileno())
        was = source.size_bytes, source.identity
        source.check_unchanged()
        path.write_bytes(b"more bytes")
        assert (source.size_bytes, source.identity) == was
        with pytest.raises(SourceChangedError, match="5 bytes at first, then 10"):
            source.read_at(3, 100)
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


def test_a_source_that_is_rewritten_under_its_old_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        source = FileSource(fd)
        was = path.stat()
        rewrite_once_the_clock_ticked(path, b"BYTES", was)
        assert (path.stat().st_mtime_ns, path.stat().st_size) == (was.st_mtime_ns, was.st_size)
        with pytest.raises(SourceChangedError, match="written to"):
            source.read_at(0, 5)


def rewrite_once_the_clock_ticked(path: Path, content: bytes, was: os.stat_result) -> None:
    """Write to a file and set its time back; the clock that stamps files ticks every few ms."""
    while path.stat().st_ctime_ns == was.st_ctime_ns:
        with path.open("r+b") as file:
            file.write(content)
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def touch(path: Path, how: str) -> Path:
    """Change a file's ctime, but none of its bytes; return where it is now."""
    was, moved = path.stat(), path.with_name(f"{path.name}.moved")
    while path.stat().st_ctime_ns == was.st_ctime_ns:
        if how == "rename":
            path = path.rename(moved).rename(path)
        elif how == "chmod":
            path.chmod(0o640)
        else:
            moved.unlink(missing_ok=True)
            moved.hardlink_to(path)
    return path


@pytest.mark.parametrize("how", ["rename", "chmod", "link"])
def test_a_source_whose_hash_is_known_outlives_what_changes_no_byte(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        source = FileSource(fd)
        source.sha256 = hashlib.sha256(b"bytes").hexdigest()
        buffer = bytearray(5)
        for _ in range(2):
            path = touch(path, how)
            assert source.read_at(1, 3) == b"yte"
            path = touch(path, how)
            assert (source.read_into(buffer, 0), bytes(buffer)) == (5, b"bytes")
            path = touch(path, how)
            source.check_unchanged()


def test_a_source_whose_hash_nobody_knows_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        source = FileSource(fd)
        touch(path, "chmod")
        with pytest.raises(
            SourceChangedError, match=r"given other rights .* `reelflow posts retry`"
        ):
            source.read_at(0, 5)


def test_a_known_hash_does_not_cover_a_rewrite_under_the_old_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        source = FileSource(fd)
        source.sha256 = hashlib.sha256(b"bytes").hexdigest()
        rewrite_once_the_clock_ticked(path, b"byteZ", path.stat())
        for read in (lambda: source.read_at(0, 2), lambda: source.read_into(bytearray(2), 0)):
            with pytest.raises(SourceChangedError, match="replaced or written to"):
                read()


def test_a_file_that_is_written_to_after_the_last_read_is_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with pytest.raises(SourceChangedError, match="written to"), open_file(path):
        path.write_bytes(b"other bytes")


def test_bytes_that_were_read_before_they_were_set_back_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    was = path.stat()
    real = os.preadv
    reads: list[int] = []

    def read_between_two_rewrites(fd: int, buffers: list[Buffer], offset: int) -> int:
        if not reads:
            rewrite_once_the_clock_ticked(path, b"BYTES", was)
        reads.append(offset)
        count = real(fd, buffers, offset)
        if len(reads) == 1:
            rewrite_once_the_clock_ticked(path, b"bytes", path.stat())
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
        return count

    with open_source(path) as fd:
        source = FileSource(fd)
        source.sha256 = hashlib.sha256(b"bytes").hexdigest()
        monkeypatch.setattr(os, "preadv", read_between_two_rewrites)
        buffer = bytearray(5)
        assert (source.read_into(buffer, 0), bytes(buffer)) == (5, b"bytes")


def test_a_file_that_grows_while_it_is_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with (
        pytest.raises(SourceChangedError, match=r"/clip\.mp4' was replaced or written to"),
        open_file(path),
        path.open("ab") as stream,
    ):
        stream.write(b"more")


def test_a_source_that_is_touched_all_the_time_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_source(path) as fd:
        source = FileSource(fd)
        source.sha256 = hashlib.sha256(b"bytes").hexdigest()
        for _ in range(8):
            touch(path, "chmod")
            source.check_unchanged()
        touch(path, "chmod")
        with pytest.raises(SourceChangedError, match="written to"):
            source.check_unchanged()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_source_without_a_name_stays_readable_as_it_was(
    tmp_path: Path, is_replaced: bool
) -> None:
    path, other = tmp_path / "clip.mp4", tmp_path / "other.mp4"
    path.write_bytes(b"bytes")
    other.write_bytes(b"other")
    with open_source(path) as fd:
        source = FileSource(fd)
        other.replace(path) if is_replaced else path.unlink()
        assert source.read_at(0, 5) == b"bytes"


def test_an_identity_outlives_what_changes_no_byte(tmp_path: Path) -> None:
    path, moved = tmp_path / "clip.mp4", tmp_path / "moved.mp4"
    path.write_bytes(b"bytes")
    before = identity_of(path.stat())
    path.chmod(0o400)
    path.rename(moved)
    (tmp_path / "backup.mp4").hardlink_to(moved)
    assert identity_of(moved.stat()) == before


def test_bytes_are_told_apart_by_what_they_are() -> None:
    assert BytesSource(b"a").identity == BytesSource(b"a").identity != BytesSource(b"b").identity


def status(inode: int, mtime_ns: int) -> os.stat_result:
    fields = {"st_mtime_ns": mtime_ns, "st_atime_ns": 0, "st_ctime_ns": 0}
    return os.stat_result((0, inode, 0, 1, 0, 0, 7, 0, 0, 0), fields)


@given(inode=st.integers(0, 2**64 - 1), mtime_ns=st.integers(-(2**80), 2**80))
def test_any_inode_and_time_fit_a_signed_64_bit_column(inode: int, mtime_ns: int) -> None:
    folded_inode, size_bytes, folded_ns = file_identity(status(inode, mtime_ns))
    assert size_bytes == 7
    for folded, told in ((folded_inode, inode), (folded_ns, mtime_ns)):
        assert -(2**63) <= folded < 2**63
        assert (folded - told) % 2**64 == 0


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1])
def test_what_fits_stays_as_it_is(number: int) -> None:
    assert file_identity(status(number, number)) == (number, 7, number)
