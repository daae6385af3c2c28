import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from reelflow.exceptions import MediaRejectedError, MediaUnreadableError, StorageFullError
from reelflow.media.thumbnail import make_thumbnail


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (1280, 960), "red").save(path)
    return path


def test_an_image_gets_a_cover(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "cover.jpg"
    assert make_thumbnail(picture, target) == (640, 480)
    with Image.open(target) as cover:
        assert (cover.format, cover.size) == ("JPEG", (640, 480))


def test_the_cover_takes_the_place_of_an_older_one(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "cover.jpg"
    target.write_bytes(b"old")
    make_thumbnail(picture, target)
    assert target.read_bytes()[:2] == b"\xff\xd8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cover.jpg", "picture.png"]


def test_a_failure_leaves_the_older_cover_and_nothing_else(tmp_path: Path) -> None:
    broken, target = tmp_path / "broken.png", tmp_path / "cover.jpg"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    target.write_bytes(b"old")
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        make_thumbnail(broken, target)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.png", "cover.jpg"]


def test_a_link_is_not_followed(picture: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(picture)
    with pytest.raises(MediaUnreadableError, match="symbolic link"):
        make_thumbnail(link, tmp_path / "cover.jpg")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_may_be_tried_again(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFullError, match="free some space"):
        make_thumbnail(picture, tmp_path / "cover.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_a_missing_target_folder_is_told(picture: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_thumbnail(picture, tmp_path / "none" / "cover.jpg")


def test_services_can_import_it_without_loading_pillow() -> None:
    code = (
        "import sys, reelflow.media.inspection, reelflow.media.thumbnail\n"
        "sys.exit('PIL' in sys.modules)"
    )
    paths = "\n".join(f"import sys; sys.path.insert(0, {entry!r})" for entry in sys.path if entry)
    assert subprocess.run([sys.executable, "-c", f"{paths}\n{code}"], check=False).returncode == 0
