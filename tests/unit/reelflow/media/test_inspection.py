from pathlib import Path

import pytest
from PIL import Image

from reelflow.domain.media import MediaFacts
from reelflow.exceptions import MediaUnreadableError
from reelflow.media.inspection import inspect_descriptor, inspect_media


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no video must be known without starting any program."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize(
    ("content", "container"),
    [
        (b"", "other:empty"),
        (b"This is not a video.", "other:text"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "other:playlist"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "other:playlist"),
    ],
)
def test_what_is_no_media_is_never_given_to_ffprobe(
    tmp_path: Path, content: bytes, container: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert inspect_media(path) == MediaFacts(container, "other", len(content))


@pytest.mark.usefixtures("no_programs")
def test_an_image_is_known_as_one_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    sizes = {"width": 8, "height": 8, "display_width": 8, "display_height": 8}
    assert inspect_media(path) == MediaFacts("png", "image", path.stat().st_size, **sizes)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to("/etc/hostname")
    with pytest.raises(MediaUnreadableError, match="symbolic link"):
        inspect_media(tmp_path / "clip.mp4")


def test_a_descriptor_keeps_its_position(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"some text")
    with path.open("rb") as file:
        file.seek(5)
        assert inspect_descriptor(file.fileno()).container == "other:text"
        assert file.read() == b"text"
