import hashlib
import os
from pathlib import Path

import pytest

from reelflow.digest import sha256_file, sha256_of
from reelflow.exceptions import MediaUnreadableError
from reelflow.source import BytesSource


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 17])
def test_the_digest_is_that_of_the_whole_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert sha256_file(path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("block_bytes", [1, 3, 10, 11])
def test_the_size_of_blocks_changes_nothing(block_bytes: int) -> None:
    digest = sha256_of(BytesSource(b"0123456789"), block_bytes=block_bytes)
    assert digest == hashlib.sha256(b"0123456789").hexdigest()


def test_a_link_is_not_hashed(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to("/etc/hostname")
    with pytest.raises(MediaUnreadableError, match="symbolic link"):
        sha256_file(tmp_path / "link.mp4")
