import hashlib
import os
from pathlib import Path

import pytest

from reelflow.digest import sha256_of
from reelflow.source import BytesSource, open_file
from tests.far_source import FarSource


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 17])
def test_the_digest_is_that_of_the_whole_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with open_file(path) as source:
        digest = sha256_of(source)
    assert digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("block_bytes", [1, 3, 10, 11])
def test_the_size_of_blocks_changes_nothing(block_bytes: int) -> None:
    digest = sha256_of(BytesSource(b"0123456789"), block_bytes=block_bytes)
    assert digest == hashlib.sha256(b"0123456789").hexdigest()


def test_what_lies_far_away_comes_as_one_stream() -> None:
    content = os.urandom(2 * 1024 * 1024 + 17)
    source = FarSource(content)
    assert sha256_of(source) == hashlib.sha256(content).hexdigest()
    assert source.streams == [(0, len(content))]
    assert source.closed == 1
