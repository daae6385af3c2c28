"""Media made with ffmpeg."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo import media
from demo.exceptions import StackError


def video_stream(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-print_format", "json", str(path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    streams = [stream for stream in told["streams"] if stream["codec_type"] == "video"]
    assert len(streams) == 1
    found: dict[str, Any] = streams[0]
    return found


def test_a_portrait_mov_is_stored_in_landscape_and_flagged_to_be_turned(tmp_path: Path) -> None:
    media.portrait_mov(tmp_path / "a.mov")

    stream = video_stream(tmp_path / "a.mov")
    assert (stream["width"], stream["height"]) == (1280, 720)
    assert [data["rotation"] for data in stream["side_data_list"]] == [-90]


def test_a_truncated_mp4_still_looks_whole_to_ffprobe(tmp_path: Path) -> None:
    media.truncated_mp4(tmp_path / "a.mp4")

    assert float(video_stream(tmp_path / "a.mp4")["duration"]) == 5


def test_two_small_clips_differ_in_their_bytes(tmp_path: Path) -> None:
    media.small_mp4(tmp_path / "a.mp4", number=1)
    media.small_mp4(tmp_path / "b.mp4", number=2)

    assert (tmp_path / "a.mp4").read_bytes() != (tmp_path / "b.mp4").read_bytes()
    assert video_stream(tmp_path / "a.mp4")["codec_name"] == "h264"


def test_a_file_without_tracks_cannot_be_turned(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(b"moov")

    with pytest.raises(StackError, match=r"a\.mov has no track header"):
        media.turn_upright(tmp_path / "a.mov")


def test_what_ffmpeg_says_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"ffmpeg could not make a\.mp4: .*No such file"):
        media.short_clip(tmp_path / "missing" / "a.mp4")


def test_a_machine_without_ffmpeg_is_told_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StackError, match="make ffmpeg"):
        media.short_clip(tmp_path / "a.mp4")
