from fractions import Fraction
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


@pytest.mark.parametrize(
    "name",
    [
        "x\n  Stream #0:0: Video: h264, 2x2\n    Side data:\n{}\n  ",
        "x\n{}\n",
    ],
)
def test_no_name_of_a_tag_passes_for_the_display_matrix(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tagged.mp4"
    forged = name.format("      Display Matrix: rotation of 90.00 degrees")
    tags = ("-movflags", "use_metadata_tags", "-metadata", f"{forged}=b")
    media_files.run_ffmpeg("-i", str(media_files.h264_mp4()), "-c", "copy", *tags, str(path))
    told = described(path.read_bytes())["video"]
    assert (told["rotation"], told["width"]) == (0.0, 640)


def test_no_name_of_a_streams_tag_passes_for_the_display_matrix(tmp_path: Path) -> None:
    path = tmp_path / "tagged.mkv"
    tag = "x\n      Display Matrix: rotation of 90.00 degrees\n=b"
    words = ("-i", str(media_files.h264_mkv()), "-c", "copy", "-metadata:s:v", tag, str(path))
    media_files.run_ffmpeg(*words)
    assert describe(opened(path.read_bytes(), "matroska"))["video"]["rotation"] == 0.0


def test_audio_is_told_with_channels_and_sample_rate() -> None:
    told = described(media_files.h264_mp4().read_bytes())
    assert told["audio"] == {"codec": "aac", "channels": 1, "sample_rate_hz": 44100}


def test_where_the_last_sample_ends_is_told() -> None:
    data = media_files.h264_mp4().read_bytes()  # its media data are last
    assert described(data)["samples_end_byte"] == len(data)


@pytest.mark.parametrize(("form", "length_s"), [("mov", 1.5), ("matroska", 1.5)])
def test_the_length_of_the_picture_is_told(form: str, length_s: float) -> None:
    make = media_files.h264_mp4 if form == "mov" else media_files.h264_mkv
    told = describe(opened(make().read_bytes(), form))["video"]
    assert told["duration_s"] == pytest.approx(length_s, abs=0.03)


def test_frames_are_counted_where_the_header_says_another_rate(tmp_path: Path) -> None:
    path = tmp_path / "variable.mkv"
    thinned = ("-vf", "select=not(mod(n\\,3))", "-fps_mode", "vfr")  # of 30 frames a second
    words = ("-i", str(media_files.h264_mkv()), *thinned, "-c:v", "libx264", "-an")
    media_files.run_ffmpeg(*words, "-preset", "ultrafast", str(path))
    told = describe(opened(path.read_bytes(), "matroska"))["video"]
    assert told["nominal_rate"] == "30/1"
    assert float(Fraction(told["average_rate"])) == pytest.approx(10, rel=0.01)


def test_a_header_that_is_right_is_exact() -> None:
    told = describe(opened(media_files.h264_mkv().read_bytes(), "matroska"))["video"]
    assert (told["average_rate"], told["nominal_rate"]) == ("30/1", "30/1")


def test_what_fragments_hold_the_first_frame_for_is_no_other_rate(tmp_path: Path) -> None:
    """Of 60.02 frames a second the average would be 58.7, which TikTok's limit would let pass."""
    path = tmp_path / "fragments.mp4"
    sound = ("-f", "lavfi", "-t", "1.5", "-i", "sine", "-c:v", "copy", "-c:a", "aac")
    flags = ("-movflags", "frag_keyframe+empty_moov")
    media_files.run_ffmpeg("-i", str(media_files.too_many_frames_mp4()), *sound, *flags, str(path))
    told = described(path.read_bytes())["video"]
    assert (told["average_rate"], told["nominal_rate"]) == ("3001/50", "3001/50")


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "art.mp4"
    art = ("-f", "lavfi", "-i", "color=red:size=64x64:rate=1:duration=1")
    video = ("-i", str(media_files.h264_mp4()), "-map", "0:v", "-map", "1:v")
    codecs = ("-c:v:0", "mjpeg", "-disposition:v:0", "attached_pic", "-c:v:1", "copy")
    media_files.run_ffmpeg(*art, *video, *codecs, str(path))
    told = described(path.read_bytes())
    assert (told["video"]["codec"], told["video"]["width"]) == ("h264", 640)
    assert told["audio"] is None


def test_of_sound_alone_no_video_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    media_files.run_ffmpeg("-i", str(media_files.h264_mp4()), "-vn", "-c", "copy", str(path))
    told = described(path.read_bytes())
    assert (told["video"], told["audio"]["codec"]) == (None, "aac")
    with pytest.raises(NoPictureError, match="no video"):
        opened(path.read_bytes()).keyframe(0)


def test_of_a_codec_without_decoder_the_size_is_told() -> None:
    data = media_files.h264_mp4().read_bytes().replace(b"avc1\0\0\0\0", b"zzzz\0\0\0\0")
    told = described(data)["video"]
    assert (told["codec"], told["width"], told["height"]) == (None, 640, 360)
