import hashlib
import os
from pathlib import Path

import pytest

from reelflow.exceptions import MediaUnreadableError
from reelflow.media.digest import sha256_descriptor, sha256_file


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 17])
def test_the_digest_is_that_of_the_whole_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert sha256_file(path) == hashlib.sha256(content).hexdigest()


def test_a_descriptor_is_hashed_from_its_start_and_keeps_its_position(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(4)
        assert sha256_descriptor(file.fileno()) == hashlib.sha256(b"0123456789").hexdigest()
        assert file.read() == b"456789"


def test_a_link_is_not_hashed(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to("/etc/hostname")
    with pytest.raises(MediaUnreadableError, match="symbolic link"):
        sha256_file(tmp_path / "link.mp4")
