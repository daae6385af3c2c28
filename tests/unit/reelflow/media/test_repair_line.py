"""Lines that ffmpeg-python writes: what they change, and that names in them are harmless."""

import dataclasses
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.repair import plan_repair
from reelflow.media.repair_line import repair_line
from tests.refused_video import BOTH, MKV

MAP = "-map 0:V:0 -map '0:a:0?'"
ENCODE = f"{MAP} -c:a aac -c:v libx264 -movflags +faststart -pix_fmt yuv420p"


def line(name: str = "a.mkv", /, **changes: Any) -> str | None:
    repair = plan_repair(dataclasses.replace(MKV, **changes), name, BOTH)
    return None if repair is None else repair_line(repair)


def test_streams_that_fit_mp4_are_copied() -> None:
    assert line() == f"ffmpeg -i a.mkv {MAP} -c copy -movflags +faststart a.mp4"


def test_hevc_is_copied_with_the_tag_that_players_expect() -> None:
    assert line(video_codec="hevc") == (
        f"ffmpeg -i a.mkv {MAP} -c copy -movflags +faststart -tag:v hvc1 a.mp4"
    )


def test_streams_that_fit_webm_are_copied_there() -> None:
    assert line(video_codec="vp9", audio_codec="opus") == f"ffmpeg -i a.mkv {MAP} -c copy a.webm"


@pytest.mark.parametrize(
    "changes",
    [{"video_codec": "mpeg4"}, {"audio_codec": "flac"}, {"video_codec": "vp9"}],
)
def test_streams_that_fit_nowhere_are_encoded(changes: dict[str, Any]) -> None:
    assert line(**changes) == f"ffmpeg -i a.mkv {ENCODE} a.mp4"


def test_avi_is_always_encoded() -> None:
    assert line("a.avi", container="avi") == f"ffmpeg -i a.avi {ENCODE} a.mp4"


def test_high_dynamic_range_stays_so_where_it_is_encoded() -> None:
    assert line(video_codec="av1", hdr_transfer="smpte2084") == (
        f"ffmpeg -i a.mkv {MAP} -c:a aac -c:v libx265 -movflags +faststart -pix_fmt yuv420p10le "
        "-tag:v hvc1 "
        "-vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc a.mp4"
    )


@pytest.mark.parametrize(("rate", "option"), [(60.02, "-r 60"), (120.0, "-r 60"), (15.0, "-r 30")])
def test_the_frame_rate_goes_to_an_allowed_one(rate: float, option: str) -> None:
    assert line(average_frame_rate=rate) == f"ffmpeg -i a.mkv {ENCODE} {option} a.mp4"


def test_a_long_video_is_cut_within_the_limit() -> None:
    assert line(duration_s=300.0) == f"ffmpeg -i a.mkv {ENCODE} -t 179.5 a.mp4"


def test_a_large_file_gets_the_bit_rate_that_was_planned() -> None:
    command = line(size_bytes=BOTH.max_size_bytes + 1, duration_s=100.0)
    at_most = "-b:v 37620k -bufsize 75240k"
    encode = ENCODE.replace(MAP, f"{MAP} {at_most}").replace(" -mov", " -maxrate 37620k -mov")
    assert command == f"ffmpeg -i a.mkv {encode} a.mp4"


def test_odd_sides_are_made_even_when_encoding() -> None:
    command = line(width=1281, video_codec="mpeg4")
    assert command is not None
    assert "-vf 'crop=trunc(iw/2)*2:trunc(ih/2)*2'" in command


def test_a_size_just_below_the_limit_still_fits_after_scaling_up() -> None:
    command = line(width=4000, height=100, display_width=4000, display_height=100)
    assert command is not None
    assert "scale=4096:102,setsar=1,pad=4096:360" in command


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("my clip.mkv", "'my clip.mkv'"),
        ("a;rm -rf ~.mkv", "'a;rm -rf ~.mkv'"),
        ("it's.mkv", "'it'\"'\"'s.mkv'"),
        ("-x.mkv", "./-x.mkv"),
        ("concat:a|b.mkv", "'./concat:a|b.mkv'"),
        ("http://x/y.mkv", "./http://x/y.mkv"),
        ("dir/a:b.mkv", "dir/a:b.mkv"),
        ("/abs/a.mkv", "/abs/a.mkv"),
        ("a\n\x1b[2Jb'.mkv", "$'a\\x0a\\x1b[2Jb\\x27.mkv'"),
        ("bad\udcff.mkv", "$'bad\\xff.mkv'"),
    ],
)
def test_a_hostile_name_stays_one_plain_file(name: str, source: str) -> None:
    command = line(name)
    assert command is not None
    assert command.startswith(f"ffmpeg -i {source} {MAP} -c copy ")
    assert command.isprintable()


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_a_shell_reads_back_the_very_name(name: str) -> None:
    command = line(name)
    assert command is not None
    source = shlex.split(command)[2]
    assert source in (name, f"./{name}")
    assert not source.startswith("-")
