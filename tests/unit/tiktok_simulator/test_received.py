"""Bytes are kept chunk by chunk, whole or not at all."""

import hashlib
from pathlib import Path

from tiktok_simulator.received import ReceivedBytes


def store(received: ReceivedBytes, *pieces: bytes) -> bool:
    chunk = received.open_chunk()
    for piece in pieces:
        chunk.write(piece)
    return received.store(chunk)


def test_stored_chunks_are_read_back_and_hashed_in_order(tmp_path: Path) -> None:
    received = ReceivedBytes(tmp_path / "one")

    assert store(received, b"abc", b"def")
    assert store(received, b"g")

    assert b"".join(received.content()) == b"abcdefg"
    assert received.sha256 == hashlib.sha256(b"abcdefg").hexdigest()
    assert (received.size_bytes, received.chunk_sizes) == (7, [6, 1])


def test_a_discarded_chunk_leaves_no_byte_and_no_trace_in_the_hash(tmp_path: Path) -> None:
    received = ReceivedBytes(tmp_path / "one")
    store(received, b"abc")
    cut = received.open_chunk()
    cut.write(b"half")

    cut.discard()
    store(received, b"def")

    assert b"".join(received.content()) == b"abcdef"
    assert received.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert len(list((tmp_path / "one").iterdir())) == 2


def test_of_two_chunks_for_the_same_range_only_the_first_to_finish_is_stored(
    tmp_path: Path,
) -> None:
    received = ReceivedBytes(tmp_path / "one")
    slow, fast = received.open_chunk(), received.open_chunk()
    slow.write(b"old")
    fast.write(b"new")

    assert received.store(fast)
    assert not received.store(slow)

    slow.discard()
    assert b"".join(received.content()) == b"new"
    assert received.size_bytes == 3


def test_without_a_directory_bytes_are_only_counted(tmp_path: Path) -> None:
    received = ReceivedBytes(None)

    assert store(received, b"abc")

    assert (received.size_bytes, received.sha256, received.is_kept) == (3, None, False)
    assert list(received.content()) == []


def test_parts_have_digests_of_their_own_and_one_of_their_order(tmp_path: Path) -> None:
    received = ReceivedBytes(tmp_path / "one", in_parts=True)
    swapped = ReceivedBytes(tmp_path / "two", in_parts=True)
    for content in (b"abc", b"de"):
        store(received, content)
    for content in (b"de", b"abc"):
        store(swapped, content)

    digests = [hashlib.sha256(content).hexdigest() for content in (b"abc", b"de")]

    assert received.part_sha256s == digests
    combined = hashlib.sha256("".join(f"{one}\n" for one in digests).encode()).hexdigest()
    assert received.sha256 == combined
    assert swapped.sha256 != combined
    assert ReceivedBytes(tmp_path / "three").part_sha256s is None
    assert ReceivedBytes(None, in_parts=True).part_sha256s is None
