from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from reelflow.exceptions import StorageFullError
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services.uploads.whole.spool import open_spool
from tests.full_disk import largest_file


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


def test_a_full_disk_is_told_as_such() -> None:
    with open_spool() as spool, largest_file(64 * 1024):
        spool.write(bytes(60_000))
        with pytest.raises(StorageFullError, match="no room"):
            spool.write(bytes(60_000))
