"""Real files through sniff, walk, libav and the rules."""

import io
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from reelflow.cli.inspect import inspect
from reelflow.domain.media import INTAKE, MediaFacts, publishing_violations, violations
from reelflow.exceptions import MediaRejectedError
from reelflow.media.inspection import inspect_media
from reelflow.media.repair_line import repair_line
from reelflow.media.thumbnail import make_thumbnail
from reelflow.source import open_file
from tests import media_files

MakeFile = Callable[[], Path]


def broken_rules(path: Path) -> list[str]:
    return [
        violation.rule
        for violation in publishing_violations(inspect_media(path), path.name, repair_line)
    ]


@pytest.mark.parametrize(
    ("make", "container", "codecs", "faststart"),
    [
        (media_files.h264_mp4, "mp4", ("h264", "aac"), True),
        (media_files.index_last_mp4, "mp4", ("h264", "aac"), False),
        (media_files.portrait_mov, "mov", ("h264", "aac"), False),
        (media_files.vp9_webm, "webm", ("vp9", "opus"), None),
    ],
)
def test_good_files_are_measured_and_accepted(
    make: MakeFile, container: str, codecs: tuple[str, str], faststart: bool | None
) -> None:
    facts = inspect_media(make())
    assert (facts.container, facts.kind, facts.probe_error) == (container, "video", None)
    assert (facts.video_codec, facts.audio_codec) == codecs
    assert (facts.width, facts.height, facts.average_frame_rate) == (640, 360, 30.0)
    assert facts.duration_s == pytest.approx(1.5, abs=0.05)
    assert facts.size_bytes == make().stat().st_size
    assert facts.faststart is faststart
    assert broken_rules(make()) == []
    assert MediaFacts.from_dict(json.loads(json.dumps(facts.as_dict()))) == facts


@pytest.mark.parametrize(
    ("make", "rules"),
    [
        (media_files.mpeg4_avi, ["container", "video_codec"]),
        (media_files.h264_mkv, ["container"]),
        (media_files.truncated_mp4, ["truncated"]),
        (media_files.text_mp4, ["type"]),
        (media_files.short_mp4, ["duration"]),
        (media_files.too_many_frames_mp4, ["frame_rate"]),
        (media_files.small_odd_mkv, ["container", "video_codec", "resolution", "frame_rate"]),
    ],
)
def test_bad_files_break_exactly_these_rules(make: MakeFile, rules: list[str]) -> None:
    assert broken_rules(make()) == rules


def test_a_place_in_the_tags_never_gets_into_the_facts() -> None:
    assert b"+52.5163" in media_files.portrait_mov().read_bytes()
    facts = inspect_media(media_files.portrait_mov())
    assert facts.creation_time == "2026-11-20T10:00:00+00:00"
    assert "52.5" not in json.dumps(facts.as_dict())
    assert "At home" not in json.dumps(facts.as_dict())


def test_libav_takes_the_truncated_file_for_whole_but_the_walk_does_not() -> None:
    path = media_files.truncated_mp4()
    facts = inspect_media(path)
    assert (facts.probe_error, facts.duration_s) == (None, 1.5)
    assert facts.data_end_byte == path.stat().st_size
    assert facts.declared_size_bytes == media_files.h264_mp4().stat().st_size


@pytest.mark.parametrize(
    "make",
    [
        media_files.h264_mp4,
        media_files.index_last_mp4,
        media_files.portrait_mov,
        media_files.vp9_webm,
        media_files.mpeg4_avi,
        media_files.h264_mkv,
    ],
)
@pytest.mark.parametrize("percent", [20, 50, 99])
def test_every_real_container_shows_where_it_was_cut(
    make: MakeFile, percent: int, tmp_path: Path
) -> None:
    whole = make().read_bytes()
    path = tmp_path / make().name
    path.write_bytes(whole[: len(whole) * percent // 100])
    assert inspect_media(path).data_end_byte is not None
    assert {"truncated", "damaged"} & set(broken_rules(path))


@pytest.mark.parametrize(
    "make",
    [
        media_files.mpeg4_avi,
        media_files.h264_mkv,
        media_files.too_many_frames_mp4,
        media_files.small_odd_mkv,
    ],
)
def test_the_suggested_line_makes_a_file_that_publishing_accepts(
    make: MakeFile, tmp_path: Path
) -> None:
    path = tmp_path / f"-a b'{make().suffix}"
    shutil.copyfile(make(), path)
    assert violations(inspect_media(path), path.name, INTAKE, repair_line) == []
    fix = publishing_violations(inspect_media(path), path.name, repair_line)[0].fix
    subprocess.run(
        ["sh", "-c", f"{fix} -v error -nostdin"], cwd=tmp_path, check=True, capture_output=True
    )
    made = tmp_path / Path(shlex.split(fix)[-1]).name
    assert made != path
    assert broken_rules(made) == []


def test_the_line_keeps_a_high_dynamic_range_that_only_the_container_tells_of(
    tmp_path: Path,
) -> None:
    marks = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    source = ("-f", "lavfi", "-t", "1.2", "-i", "testsrc2=size=640x360:rate=30")
    media_files.run_ffmpeg(*source, "-c:v", "prores_ks", *marks, str(tmp_path / "a.mov"))
    facts = inspect_media(tmp_path / "a.mov")
    assert facts.hdr_transfer == "arib-std-b67"
    (broken,) = publishing_violations(facts, "a.mov", repair_line)
    fix = f"{broken.fix} -v error -nostdin"
    subprocess.run(["sh", "-c", fix], cwd=tmp_path, check=True, capture_output=True)
    assert inspect_media(tmp_path / "a.mp4").hdr_transfer == "arib-std-b67"


def thumbnail_of(path: Path, at_s: float | None = None) -> Image.Image:
    with open_file(path) as source:
        cover = make_thumbnail(source, at_s=at_s)
    image = Image.open(io.BytesIO(cover.jpeg))
    image.load()
    assert (image.format, image.size) == ("JPEG", (cover.width, cover.height))
    return image


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (media_files.h264_mp4, (640, 360)),
        (media_files.portrait_mov, (360, 640)),
        (media_files.vp9_webm, (640, 360)),
        (media_files.mpeg4_avi, (640, 360)),
        (media_files.h264_mkv, (640, 360)),
        (media_files.wide_pixel_mp4, (640, 360)),
        (media_files.small_odd_mkv, (300, 170)),
        (media_files.hdr_mp4, (640, 360)),
    ],
)
@pytest.mark.parametrize("at_s", [None, 0.7])
def test_a_cover_shows_the_picture_as_a_player_does(
    make: MakeFile, size: tuple[int, int], at_s: float | None
) -> None:
    assert thumbnail_of(make(), at_s).size == size


def test_a_moment_behind_the_end_gives_the_first_frame() -> None:
    assert thumbnail_of(media_files.h264_mp4(), 1000.0).size == (640, 360)


def test_a_phone_held_upright_is_turned_clockwise() -> None:
    facts = inspect_media(media_files.portrait_mov())
    assert (facts.rotation_degrees, facts.display_width, facts.display_height) == (90, 360, 640)
    cover = thumbnail_of(media_files.portrait_mov())
    red, _, blue = cover.getpixel((300, 100))  # type: ignore[misc]
    assert red > 150 > 100 > blue  # the coded top left is on the right now


def test_hdr_is_mapped_to_standard_range() -> None:
    assert inspect_media(media_files.hdr_mp4()).hdr_transfer == "smpte2084"
    assert thumbnail_of(media_files.hdr_mp4()).getbbox() is not None


def test_a_cover_keeps_no_tags() -> None:
    with open_file(media_files.portrait_mov()) as source:
        jpeg = make_thumbnail(source).jpeg
    assert b"52.5163" not in jpeg
    assert b"At home" not in jpeg


def test_a_video_without_any_frame_to_decode_is_rejected(tmp_path: Path) -> None:
    whole = media_files.h264_mp4().read_bytes()
    media_start = whole.index(b"mdat") + 4
    source = tmp_path / "noise.mp4"
    source.write_bytes(whole[:media_start] + bytes(len(whole) - media_start))
    why = "no frame of the video can be decoded: libav finds no picture in it"
    with pytest.raises(MediaRejectedError, match=why) as caught:
        thumbnail_of(source)
    assert caught.value.violations[0]["rule"] == "undecodable"


def test_a_compressed_index_cannot_eat_the_machines_memory() -> None:
    facts = inspect_media(media_files.compressed_index_mov())
    assert facts.probe_error == "reading it takes more memory than allowed"


app = typer.Typer()
app.command()(inspect)


@pytest.mark.parametrize(
    ("make", "profile", "exit_code"),
    [
        (media_files.h264_mp4, "tiktok", 0),
        (media_files.mpeg4_avi, "intake", 0),
        (media_files.mpeg4_avi, "tiktok", 1),
        (media_files.truncated_mp4, "intake", 1),
    ],
)
def test_the_inspect_command_says_what_publishing_would(
    make: MakeFile, profile: str, exit_code: int, tmp_path: Path
) -> None:
    cover = tmp_path / "cover.jpg"
    words = [str(make()), "--json", "--profile", profile, "--thumbnail", str(cover)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == exit_code
    assert json.loads(result.stdout)["accepted"] is (exit_code == 0)
    with Image.open(cover) as image:
        assert image.size == (640, 360)


def test_the_length_that_mkvmerge_tells_of_a_picture_is_a_length_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "merged.webm"
    media_files.run_ffmpeg(
        *("-f", "lavfi", "-t", "1.2", "-i", "testsrc2=size=360x640:rate=30"),
        *("-f", "lavfi", "-t", "20", "-i", "sine", "-c:v", "libvpx", "-c:a", "libopus"),
        *("-vf", "setpts=PTS+8/TB", "-fps_mode", "passthrough"),
        *("-metadata:s:v", "_STATISTICS_WRITING_APP=mkvmerge", str(path)),
    )
    facts = inspect_media(path)
    assert facts.video_start_s == pytest.approx(8, abs=0.01)
    assert facts.video_duration_s == pytest.approx(9.2, abs=0.01)  # what ffmpeg's own tag says
