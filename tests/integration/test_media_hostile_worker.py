"""Bombs and polyglots: each costs a worker one answer, little memory and little computing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reelflow.domain.photos import image_violations
from reelflow.exceptions import MediaRejectedError, MediaToolError
from reelflow.media import decoder
from reelflow.media.inspection import Examination, examine
from reelflow.media.prepared_photo import prepare_photo
from reelflow.source import BytesSource
from tests import hostile_images, hostile_videos, media_files
from tests.process_tree import workers

MIB = 1024 * 1024
REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 300

Told = Mapping[str, Mapping[str, Any]]


def worked_through(folder: Path, files: Mapping[str, bytes | Callable[[], bytes]]) -> Told:
    """Let a worker examine them all; give what it says of each.

    It lives to tell, although the system would end it for what one file may not take of it.
    """
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
    sources = os.pathsep.join(str(REPOSITORY / part) for part in ("", "include", "plugins"))
    worker = subprocess.run(
        [sys.executable, "-m", "tests.hostile_worker", str(media_files.h264_mp4()), str(folder)],
        env={"PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (worker.returncode, worker.stderr) == (0, "")
    told = [json.loads(line) for line in worker.stdout.splitlines()]
    return {one["name"]: one for one in told}


IMAGES: Mapping[str, bytes | Callable[[], bytes]] = {
    **hostile_images.BOMBS,
    **hostile_images.POLYGLOTS,
    **hostile_images.STRANGERS,
}
#: These hold no more than what any worker decodes.
SHOWN_IMAGES = {
    *hostile_images.POLYGLOTS,
    *("declares-4096.jpg", "profile.jpg", "full-4096.png", "animation.png"),
    *("short-animation.webp", "one-pixel-wide.png", "one-pixel-high.png"),
}
#: What these say of themselves is absurd, and of no consequence.
SHOWN_VIDEOS = {
    *("times.mp4", "chunks-declared.mp4", "chunk-of-all.mp4", "edits-declared.mp4", "edits.mp4"),
    *("years.mp4", "years-of-a-track.mp4", "years.mkv", "no-number-of-years.mkv", "sides.mp4"),
    *("rate.avi", "format-declared.avi", "zip-behind.mp4"),
}


@pytest.fixture(scope="module")
def images_told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return worked_through(tmp_path_factory.mktemp("images"), IMAGES)


@pytest.fixture(scope="module")
def videos_told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return worked_through(tmp_path_factory.mktemp("videos"), hostile_videos.BOMBS)


@pytest.mark.parametrize("name", IMAGES)
def test_a_hostile_image_costs_one_answer(name: str, images_told: Told) -> None:
    told = images_told[name]
    assert told["opened"] == []
    assert told["has_cover"] == (name in SHOWN_IMAGES)
    assert told["has_cover"] or told["rules"]
    assert told["is_good_after"]
    assert told["peak_bytes"] < 400 * MIB


@pytest.mark.parametrize("name", hostile_videos.BOMBS)
def test_a_hostile_video_costs_one_answer(name: str, videos_told: Told) -> None:
    told = videos_told[name]
    assert told["opened"] == []
    assert told["has_cover"] == (name in SHOWN_VIDEOS)
    assert told["is_good_after"]
    assert told["peak_bytes"] < 64 * MIB  # it has nothing of the file but some ranges
    assert told["child_peak_bytes"] < decoder.LIBAV.limits.address_space_bytes


@pytest.mark.parametrize("name", hostile_images.POLYGLOTS)
def test_what_is_another_file_as_well_is_copied_without_that(name: str) -> None:
    content = hostile_images.POLYGLOTS[name]()
    assert any(mark in content for mark in hostile_images.MARKS)
    source, copy = BytesSource(content), io.BytesIO()
    with examine(source) as examination:
        facts = examination.facts
    assert image_violations(facts, name) == []
    assert facts.image_extras or facts.container == "png"  # it is never sent as it is
    prepare_photo(source, copy)
    assert not any(mark in copy.getvalue() for mark in hostile_images.MARKS)
    assert Image.open(copy).size == (640, 480)


# What never ends.


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    limits = replace(decoder.LIBAV.limits, cpu_s=1, wall_clock_s=5)
    monkeypatch.setattr(decoder, "LIBAV", replace(decoder.LIBAV, limits=limits))


def ask_without_end(examination: Examination) -> None:
    while True:
        examination.candidates()


def test_a_file_that_is_computed_on_too_long_is_stopped_and_the_next_one_examined(
    hurried: None,
) -> None:
    with (
        pytest.raises(MediaRejectedError) as caught,
        examine(BytesSource(hostile_videos.BOMBS["edits.mp4"]()), with_covers=True) as examination,
    ):
        ask_without_end(examination)
    assert caught.value.context["libav"] == "reading it takes more computing time than allowed"
    assert_the_next_is_examined()


class Stopping(BytesSource):
    """A video whose decoder stops for ever at the first byte that it asks for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._others = workers()
        self.stopped: set[int] = set()

    def read_at(self, offset: int, count: int) -> bytes:
        for child in workers() - self._others - self.stopped:
            os.kill(child, signal.SIGSTOP)
            self.stopped.add(child)
        return super().read_at(offset, count)


@pytest.mark.parametrize("files_before", [0, 3])
def test_a_decoder_that_hangs_is_ended_by_the_clock_and_the_next_file_examined(
    hurried: None, files_before: int
) -> None:
    for _ in range(files_before):  # after these its process is forked, not started
        assert_the_next_is_examined()
    source = Stopping(media_files.h264_mp4().read_bytes())
    with pytest.raises(MediaToolError) as caught, examine(source):
        pass
    assert caught.value.code == "media_tool_timeout"
    assert source.stopped
    assert not source.stopped & workers()
    assert_the_next_is_examined()


def assert_the_next_is_examined() -> None:
    good = BytesSource(media_files.h264_mp4().read_bytes())
    with examine(good, with_covers=True) as examination:
        assert examination.facts.video_codec == "h264"
        assert examination.cover().width == 640
