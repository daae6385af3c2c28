import io
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from reelflow.domain.media import MediaFacts, publishing_violations
from reelflow.exceptions import (
    MediaRejectedError,
    MediaToolError,
    MediaUnreadableError,
    SourceChangedError,
)
from reelflow.media.decoder import DECODER_MISSING
from reelflow.media.inspection import examine, inspect_media
from reelflow.media.repair_line import repair_line
from reelflow.source import BytesSource, FileSource, open_file
from tests import media_files


@pytest.fixture
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no video must be known without starting any process."""
    monkeypatch.setattr(sys, "executable", "/nonexistent")


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize(
    ("content", "container"),
    [
        (b"", "other:empty"),
        (b"This is not a video.", "other:text"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "other:playlist"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "other:playlist"),
    ],
)
def test_what_is_no_media_is_never_given_to_libav(
    tmp_path: Path, content: bytes, container: str
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert inspect_media(path) == MediaFacts(container, "other", len(content))


@pytest.mark.usefixtures("no_children")
def test_an_image_is_known_as_one_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    Image.new("RGB", (8, 8)).save(path, "PNG")
    size_bytes = path.stat().st_size
    assert inspect_media(path) == MediaFacts(
        "png", "image", size_bytes, width=8, height=8, display_width=8, display_height=8
    )


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to("/etc/hostname")
    with pytest.raises(MediaUnreadableError, match="symbolic link"):
        inspect_media(tmp_path / "clip.mp4")


class Disturbed(FileSource):
    """A file that somebody writes to once its index was read."""

    def __init__(self, path: Path, fd: int, size_bytes: int) -> None:
        super().__init__(fd)
        self._path = path
        self._new_size_bytes = size_bytes

    def read_at(self, offset: int, count: int) -> bytes:
        data = super().read_at(offset, count)
        os.truncate(self._path, self._new_size_bytes)
        return data


@pytest.mark.parametrize("new_size_bytes", [100_000, 1_000_000])
def test_a_video_that_is_written_to_while_it_is_read_is_told(
    tmp_path: Path, new_size_bytes: int
) -> None:
    path = tmp_path / "clip.mp4"
    shutil.copyfile(media_files.h264_mp4(), path)
    with path.open("rb") as file:
        source = Disturbed(path, file.fileno(), new_size_bytes)
        with pytest.raises(SourceChangedError, match="provide it again"):
            examine_all(source)


def examine_all(source: FileSource) -> None:
    with examine(source, with_covers=True) as examination:
        examination.candidates()
    source.check_unchanged()


def test_without_libav_a_video_is_known_by_its_container(
    no_libav: None, caplog: pytest.LogCaptureFixture
) -> None:
    facts = inspect_media(media_files.h264_mp4())
    assert (facts.container, facts.faststart, facts.is_measured) == ("mp4", True, False)
    assert (facts.width, facts.probe_error) == (None, None)
    assert publishing_violations(facts, "clip.mp4", repair_line) == []
    [warning] = caplog.messages
    assert "checked by its container alone" in warning
    assert "pip install" in warning


def test_without_libav_a_cut_video_is_still_rejected(no_libav: None) -> None:
    facts = inspect_media(media_files.truncated_mp4())
    assert [one.rule for one in publishing_violations(facts, "a.mp4", repair_line)] == ["truncated"]


def test_without_libav_there_is_no_cover(no_libav: None) -> None:
    with (
        pytest.raises(MediaToolError, match="no video can be decoded here") as caught,
        open_file(media_files.h264_mp4()) as source,
        examine(source, with_covers=True),
    ):
        pass
    assert caught.value.code == DECODER_MISSING


def test_an_image_has_one_cover() -> None:
    written = io.BytesIO()
    Image.new("RGB", (1280, 960)).save(written, "PNG")
    with examine(BytesSource(written.getvalue()), with_covers=True) as examination:
        [cover] = examination.candidates()
        assert (cover.width, cover.height) == (640, 480)
        assert examination.cover() == cover


def test_what_is_no_media_has_no_cover() -> None:
    with (
        examine(BytesSource(b"some text"), with_covers=True) as examination,
        pytest.raises(MediaRejectedError, match="no frame"),
    ):
        examination.cover()
