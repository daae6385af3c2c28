from pathlib import Path
from typing import Any

import pytest

from reelflow.media.child.facts import describe
from reelflow.media.child.video import NoPictureError, Video
from reelflow.sandbox.inside.range_file import RangeFile
from tests import media_files


def opened(data: bytes, form: str = "mov") -> Video:
    return Video(RangeFile(lambda offset, count: data[offset : offset + count], len(data)), form)


def described(data: bytes) -> dict[str, Any]:
    return describe(opened(data))


def test_no_tag_but_brand_and_time_is_told() -> None:
    told = described(media_files.portrait_mov().read_bytes())
    assert (told["brand"], told["creation_time"]) == ("qt  ", "2026-11-20T10:00:00.000000Z")
    assert not any(word in str(told) for word in ("52.5163", "At home", "VideoHandler"))


def test_the_turn_of_the_display_matrix_is_told_counter_clockwise() -> None:
    assert described(media_files.portrait_mov().read_bytes())["video"]["rotation"] == -90.0


def test_no_tag_passes_for_the_display_matrix(tmp_path: Path) -> None:
    path = tmp_path / "tagged.mkv"
    tags = (
        "Display Matrix=rotation of 90.00 degrees",
        "a=b\n      Display Matrix: rotation of 9.00",
    )
    words = [word for tag in tags for word in ("-metadata:s:v", tag)]
    media_files.run_ffmpeg("-i", str(media_files.h264_mkv()), "-c", "copy", *words, str(path))
    told = describe(opened(path.read_bytes(), "matroska"))
    assert told["video"]["rotation"] == 0.0


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "art.mp4"
    art = ("-f", "lavfi", "-i", "color=red:size=64x64:rate=1:duration=1")
    video = ("-i", str(media_files.h264_mp4()), "-map", "0:v", "-map", "1:v")
    codecs = ("-c:v:0", "mjpeg", "-disposition:v:0", "attached_pic", "-c:v:1", "copy")
    media_files.run_ffmpeg(*art, *video, *codecs, str(path))
    told = described(path.read_bytes())
    assert (told["video"]["codec"], told["video"]["width"]) == ("h264", 640)
    assert told["audio_codec"] is None


def test_of_sound_alone_no_video_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    media_files.run_ffmpeg("-i", str(media_files.h264_mp4()), "-vn", "-c", "copy", str(path))
    told = described(path.read_bytes())
    assert (told["video"], told["audio_codec"]) == (None, "aac")
    with pytest.raises(NoPictureError, match="no video"):
        opened(path.read_bytes()).keyframe(0)


def test_of_a_codec_without_decoder_the_size_is_told() -> None:
    data = media_files.h264_mp4().read_bytes().replace(b"avc1\0\0\0\0", b"zzzz\0\0\0\0")
    told = described(data)["video"]
    assert (told["codec"], told["width"], told["height"]) == (None, 640, 360)
