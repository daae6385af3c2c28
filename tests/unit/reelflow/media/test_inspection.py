import io
import os
import shutil
import subprocess
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
from reelflow.media import inspection
from reelflow.media.decoder import DECODER_MISSING
from reelflow.media.inspection import examine, inspect_media
from reelflow.media.repair_line import repair_line
from reelflow.source import BytesSource, FileSource, open_file
from tests import media_files
from tests.first_files import allow_no_process


@pytest.fixture
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no video must be known without starting any process."""
    allow_no_process(monkeypatch)


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


def piped(form: str, path: Path, *options: str) -> bytes:
    """What ffmpeg writes where it cannot go back to fill in sizes."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), *options, "-f", form, "pipe:1"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def facts_of(content: bytes) -> MediaFacts:
    with examine(BytesSource(content)) as examination:
        return examination.facts


def test_media_data_that_reach_to_the_end_of_the_file_are_compared_with_the_index() -> None:
    whole = bytearray(media_files.h264_mp4().read_bytes())
    size_field = whole.rindex(b"mdat") - 4
    whole[size_field : size_field + 4] = bytes(4)
    assert facts_of(bytes(whole)).data_end_byte is None
    cut = facts_of(bytes(whole[: len(whole) * 6 // 10]))
    assert (cut.data_end_byte, cut.declared_size_bytes) == (len(whole) * 6 // 10, len(whole))


@pytest.mark.parametrize("form", ["webm", "matroska"])
def test_a_recording_into_a_pipe_is_whole_or_cut(form: str) -> None:
    whole = piped(form, media_files.vp9_webm(), "-c", "copy", "-cluster_time_limit", "300")
    assert facts_of(whole).data_end_byte is None
    cut = facts_of(whole[: len(whole) // 2])
    assert cut.data_end_byte == len(whole) // 2 < (cut.declared_size_bytes or 0)


def test_of_an_avi_that_nobody_finished_no_length_is_made_up() -> None:
    facts = facts_of(piped("avi", media_files.mpeg4_avi(), "-c", "copy"))
    assert (facts.duration_s, facts.video_duration_s, facts.bit_rate_bps) == (None, None, None)
    assert (facts.average_frame_rate, facts.variable_frame_rate) == (30, False)
    found = publishing_violations(facts, "a.avi", repair_line)
    assert [one.rule for one in found] == ["container", "video_codec", "duration"]
    assert all(one.fix.startswith("ffmpeg -i a.avi ") for one in found)


def test_no_more_of_a_video_is_read_than_its_budget_twice_that_without_its_index_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index_first, index_last = media_files.h264_mp4(), media_files.index_last_mp4()
    monkeypatch.setattr(inspection, "FACTS_BUDGET_BYTES", 250_000)
    assert all(250_000 < path.stat().st_size < 500_000 for path in (index_first, index_last))
    assert facts_of(index_first.read_bytes()).probe_error is not None
    assert facts_of(index_last.read_bytes()).probe_error is None
    with examine(BytesSource(index_first.read_bytes()), with_covers=True) as examination:
        assert examination.facts.probe_error is None


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
