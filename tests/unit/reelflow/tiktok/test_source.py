import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import LeaseLostError, MediaUnreadableError, SourceChangedError
from reelflow.source import BytesSource, FileSource, Source
from reelflow.tiktok.source import BLOCK_BYTES, SourceSlice
from tests.far_source import FarSource

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture(params=["file", "no file", "far away"])
def source(request: pytest.FixtureRequest, fd: int) -> Source:
    if request.param == "file":
        return FileSource(fd)
    return BytesSource(CONTENT) if request.param == "no file" else FarSource(CONTENT)


def test_a_window_shows_its_bytes_alone(source: Source) -> None:
    window = SourceSlice(source, ByteRange(10, 19, len(CONTENT)))
    assert len(window) == 10
    assert window.read(4) == CONTENT[10:14]
    assert window.tell() == 4
    assert len(window) == 10
    assert window.read() == CONTENT[14:20]
    assert window.read() == window.read(5) == b""


def test_a_window_can_be_read_again_from_any_place(source: Source) -> None:
    window = SourceSlice(source, ByteRange(10, 19, len(CONTENT)))
    assert window.seek(0, os.SEEK_END) == 10
    assert window.seek(-3, os.SEEK_CUR) == 7
    assert window.read() == CONTENT[17:20]
    assert window.seek(0) == 0
    assert b"".join(window) == CONTENT[10:20]
    with pytest.raises(ValueError, match="position 11"):
        window.seek(11)


def test_two_windows_on_one_descriptor_do_not_disturb_each_other(fd: int) -> None:
    one, two = (SourceSlice(FileSource(fd), ByteRange(at, at + 3, len(CONTENT))) for at in (0, 100))
    assert (one.read(2), two.read(2)) == (CONTENT[:2], CONTENT[100:102])
    assert (one.read(2), two.read(2)) == (CONTENT[2:4], CONTENT[102:104])
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


def test_iterating_a_window_gives_blocks_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(3 * BLOCK_BYTES + 1)
    with path.open("rb") as file:
        window = SourceSlice(
            FileSource(file.fileno()), ByteRange(0, 3 * BLOCK_BYTES, 3 * BLOCK_BYTES + 1)
        )
        assert [len(block) for block in window] == [BLOCK_BYTES] * 3 + [1]


def test_a_read_gives_at_most_a_block_into_the_one_buffer(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"a" * BLOCK_BYTES + b"b" * BLOCK_BYTES)
    with path.open("rb") as file:
        window = SourceSlice(
            FileSource(file.fileno()), ByteRange(0, 2 * BLOCK_BYTES - 1, 2 * BLOCK_BYTES)
        )
        first = window.read(3 * BLOCK_BYTES)
        assert first == b"a" * BLOCK_BYTES
        assert window.read() == first == b"b" * BLOCK_BYTES
        assert not window.read()


def test_a_file_that_was_cut_is_reported_with_the_byte_where_it_ends(fd: int, path: Path) -> None:
    os.truncate(path, 15)
    window = SourceSlice(FileSource(fd), ByteRange(10, 19, len(CONTENT)))
    assert window.read() == CONTENT[10:15]
    with pytest.raises(SourceChangedError, match="ends at byte 15, but 1024 bytes"):
        window.read()


def test_a_file_that_cannot_be_read_is_no_fault_of_the_connection(fd: int) -> None:
    write_only = os.open(os.devnull, os.O_WRONLY)
    try:
        with pytest.raises(MediaUnreadableError, match="cannot be read at byte 0"):
            SourceSlice(FileSource(write_only), ByteRange(0, 9, 10)).read()
    finally:
        os.close(write_only)


def test_the_checkpoint_stops_the_upload_before_the_bytes_it_guards(fd: int) -> None:
    calls = 0

    def lose_the_lease_at_the_second_block() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise LeaseLostError("The lease went to another process.")

    window = SourceSlice(
        FileSource(fd), ByteRange(0, 9, len(CONTENT)), checkpoint=lose_the_lease_at_the_second_block
    )
    assert window.read(5) == CONTENT[:5]
    with pytest.raises(LeaseLostError):
        window.read(5)
    assert window.tell() == 5


def test_a_file_that_is_written_to_gives_no_more_of_itself(fd: int, path: Path) -> None:
    window = SourceSlice(FileSource(fd, "clip.mp4"), ByteRange(0, 9, len(CONTENT)))
    assert window.read(5) == CONTENT[:5]
    path.write_bytes(CONTENT[::-1] + b"more")
    with pytest.raises(SourceChangedError, match=r"clip\.mp4 was replaced or written to"):
        window.read(5)


def test_a_range_that_lies_far_away_comes_as_one_stream_into_one_block() -> None:
    last = 2 * BLOCK_BYTES + 6
    source = FarSource(os.urandom(last + 100), most=BLOCK_BYTES - 1)
    window = SourceSlice(source, ByteRange(7, last, source.size_bytes))
    blocks = [bytes(block) for block in iter(window.read, b"")]
    assert b"".join(blocks) == source.read_at(7, last - 6)
    assert max(map(len, blocks)) <= BLOCK_BYTES
    assert source.streams == [(7, last - 6)]


def test_after_a_jump_only_the_rest_is_streamed() -> None:
    source = FarSource(CONTENT)
    window = SourceSlice(source, ByteRange(10, 109, len(CONTENT)))
    window.read(5)
    window.seek(60)
    assert window.read(5) == CONTENT[70:75]
    assert source.streams == [(10, 100), (70, 40)]
    assert source.closed == 1
    window.seek(0)
    assert b"".join(window) == CONTENT[10:110]


def test_closing_ends_the_stream_once() -> None:
    source = FarSource(CONTENT)
    window = SourceSlice(source, ByteRange(10, 109, len(CONTENT)))
    window.close()
    window.read(5)
    window.close()
    window.close()
    assert source.closed == 1


def test_a_stream_that_ends_early_is_a_source_that_changed() -> None:
    source = FarSource(CONTENT[:50])
    window = SourceSlice(source, ByteRange(10, 109, len(CONTENT)))
    assert window.read() == CONTENT[10:50]
    with pytest.raises(SourceChangedError, match="ends at byte 50, but 1024 bytes"):
        window.read()
