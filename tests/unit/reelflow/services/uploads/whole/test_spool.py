from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.exceptions import StorageFullError
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services.uploads.whole.spool import open_spool


def test_what_was_written_is_counted_hashed_and_read_from_its_beginning() -> None:
    blocks = [os.urandom(3000), b"", os.urandom(3000), os.urandom(100_000)]
    whole = b"".join(blocks)
    with open_spool() as spool:
        for block in blocks:
            spool.write(block)
        assert spool.size_bytes == len(whole)
        assert spool.sha256 == hashlib.sha256(whole).hexdigest()
        assert spool.head == whole[:HEAD_BYTES]
        assert spool.content().read() == whole
        assert spool.content().read() == whole


def test_nothing_of_it_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open_spool() as spool:
        spool.write(b"x" * 100_000)
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let no file of this process grow beyond 64 KiB, as a full disk does not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_a_full_disk_is_told_as_such() -> None:
    with open_spool() as spool:
        spool.write(bytes(60_000))
        with pytest.raises(StorageFullError, match="no room"):
            spool.write(bytes(60_000))
