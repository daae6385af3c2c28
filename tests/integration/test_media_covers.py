"""Covers of real videos: the right frame, the right way up, in the right colours."""

import io
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from reelflow.media.decoder import Cover
from reelflow.media.inspection import examine
from reelflow.source import open_file
from tests import media_files

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
#: HDR as cameras mark it, in all colours of BT.2020.
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "6", "-pix_fmt", "yuv420p10le")
COLOURS = "gradients=size=1280x720:c0=red:c1=green:c2=blue:c3=white:c4=black:nb_colors=5:seed=3"
#: What the ffmpeg program made of HDR before: the reference that libav's pictures must look like.
TONEMAP = (
    "scale=640:360:flags=area,zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=hable:desat=0,zscale=t=bt709,format=gbrp"
)


def cover_of(path: Path, at_s: float | None = None) -> Cover:
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        return examination.cover(at_s)


def candidates_of(path: Path, count: int = 4) -> list[Cover]:
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        return examination.candidates(count)


def opened(cover: Cover) -> Image.Image:
    image = Image.open(io.BytesIO(cover.jpeg))
    assert (image.format, image.size) == ("JPEG", (cover.width, cover.height))
    return image.convert("RGB")


def difference(first: Image.Image, second: Image.Image) -> tuple[float, int]:
    """The mean difference of all channels, and that which 99 of 100 values stay under."""
    values = sorted(ImageChops.difference(first, second).tobytes())
    return sum(values) / len(values), values[len(values) * 99 // 100]


@cache
def made(name: str, *words: str) -> Path:
    path = media_files.folder() / name
    media_files.run_ffmpeg(*words, str(path))
    return path


def lavfi(*pictures: str, seconds: float = 2) -> tuple[str, ...]:
    """Words that give one picture after the other as input."""
    inputs = [word for one in pictures for word in ("-f", "lavfi", "-t", str(seconds), "-i", one)]
    joined = "".join(f"[{number}:v]" for number in range(len(pictures)))
    return (*inputs, "-filter_complex", f"{joined}concat=n={len(pictures)}:v=1")


SCENE = "testsrc2=size=640x360:rate=10"


@pytest.mark.parametrize(
    "bad",
    [
        "color=black:size=640x360:rate=10",
        "color=0x0a0a0a:size=640x360:rate=10",
        "color=white:size=640x360:rate=10",
        "testsrc2=size=640x360:rate=10,gblur=sigma=25",
    ],
    ids=["black", "nearly black", "blank", "blurred"],
)
def test_a_bad_frame_at_the_first_place_is_passed_over(bad: str, request: object) -> None:
    name = f"bad-{abs(hash(bad))}.mp4"
    path = made(name, *lavfi(SCENE, bad, SCENE, SCENE), *X264, "-g", "10")
    cover = cover_of(path)
    assert not 2 <= cover.at_s < 4
    assert ImageStat.Stat(opened(cover)).stddev[0] > 40


def test_of_bad_frames_the_best_is_taken() -> None:
    dark = "color=black:size=640x360:rate=10"
    path = made("dark.mp4", *lavfi(dark, dark, f"{SCENE},gblur=sigma=25", dark), *X264, "-g", "10")
    assert 4 <= cover_of(path).at_s < 6


@pytest.mark.parametrize("bad", ["color=black:size=640x360:rate=10", f"{SCENE},gblur=sigma=40"])
def test_a_clip_whose_only_keyframe_is_bad_shows_a_later_frame(bad: str) -> None:
    name = f"one-keyframe-{len(bad)}.mp4"
    words = lavfi(bad, SCENE, SCENE, seconds=3)
    path = made(name, *words, *X264, "-g", "1000", "-sc_threshold", "0")
    cover = cover_of(path)
    assert cover.at_s >= 3
    assert ImageStat.Stat(opened(cover)).stddev[0] > 40


def test_a_clip_that_is_black_all_through_has_a_black_cover() -> None:
    path = made("black.mp4", *lavfi("color=black:size=640x360:rate=10"), *X264, "-g", "1000")
    assert opened(cover_of(path)).getextrema() == ((0, 0),) * 3


def test_a_trimmed_clip_shows_four_of_the_frames_that_are_left() -> None:
    """Its only keyframe lies before what is left: it is decoded, and never shown."""
    whole = made("untrimmed.mp4", *lavfi(SCENE, seconds=5), *X264, "-g", "1000")
    path = made("trimmed.mp4", "-ss", "2", "-i", str(whole), "-c", "copy")
    moments_s = [cover.at_s for cover in candidates_of(path)]
    assert moments_s == pytest.approx([0.4, 1.1, 1.9, 2.6], abs=0.15)


def test_without_a_moment_the_cover_is_a_keyframe_near_the_first_third() -> None:
    path = made("keys.mp4", *lavfi(SCENE, seconds=10), *X264, "-g", "20", "-sc_threshold", "0")
    assert cover_of(path).at_s == 2.0


@pytest.mark.parametrize("at_s", [0.0, 1.2, 3.95])
@pytest.mark.parametrize("container", ["mp4", "mkv", "avi", "mov"])
def test_a_moment_shows_the_frame_that_the_ffmpeg_program_shows(
    at_s: float, container: str
) -> None:
    bf = "0" if container == "avi" else "2"  # its packets carry no timestamps to reorder by
    path = made(f"moment.{container}", *lavfi(SCENE, seconds=5), *X264, "-g", "1000", "-bf", bf)
    shown = ("ffmpeg", "-v", "error", "-ss", str(at_s), "-i", str(path), "-frames:v", "1")
    raw = subprocess.run(
        [*shown, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True
    ).stdout
    cover = cover_of(path, at_s)
    mean, _ = difference(opened(cover), Image.frombytes("RGB", (640, 360), raw))
    assert mean < 4  # JPEG costs 3; a neighbouring frame is 5 and more apart


@pytest.mark.parametrize(("at_s", "shown_s"), [(2.4, 2.0), (3.0, 2.0), (3.1, 0.0)])
def test_in_the_last_frames_time_that_is_the_cover_and_behind_it_the_first(
    at_s: float, shown_s: float
) -> None:
    path = made("slow.mp4", *lavfi(SCENE.replace("rate=10", "rate=1"), seconds=3), *X264)
    assert cover_of(path, at_s).at_s == shown_s


def test_a_candidate_that_is_chosen_by_its_whole_milliseconds_is_the_cover() -> None:
    scene = SCENE.replace("rate=10", "rate=24")
    path = made("24.mp4", *lavfi(scene, seconds=4), *X264, "-g", "13", "-sc_threshold", "0")
    moments_s = [candidate.at_s for candidate in candidates_of(path)]
    assert moments_s == pytest.approx([0.0, 26 / 24, 52 / 24, 78 / 24])
    assert [cover_of(path, round(at_s, 3)).at_s for at_s in moments_s] == moments_s


CODECS = {
    "mp4": X264,
    "webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
    "mkv": ("-c:v", "libsvtav1", "-preset", "12"),
    "avi": ("-c:v", "mpeg4"),
    "mov": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"),
}


@pytest.mark.parametrize("container", CODECS)
@pytest.mark.parametrize("gop", ["10", "1000"])
def test_candidates_are_different_pictures_from_all_over_the_video(
    gop: str, container: str
) -> None:
    name = f"gop-{gop}.{container}"
    path = made(name, *lavfi(SCENE, seconds=8), *CODECS[container], "-g", gop)
    covers = candidates_of(path)
    assert [round(cover.at_s) for cover in covers] == [
        pytest.approx(at, abs=1) for at in (1, 3, 5, 7)
    ]
    pictures = [opened(cover) for cover in covers]
    assert all(difference(*pair)[0] > 4 for pair in pairwise(pictures))


def test_a_video_of_one_frame_has_one_candidate() -> None:
    path = made("one.mp4", *lavfi(SCENE, seconds=0.1), *X264)
    assert [cover.at_s for cover in candidates_of(path)] == [0.0]


#: Corners of the coded picture, and where a display matrix puts the red one.
TURNS = {
    "transpose=cclock": "-90",
    "hflip,vflip": "180",
    "transpose=clock": "90",
    "null": "0",
}


@pytest.mark.parametrize(("turned", "rotation"), TURNS.items())
def test_every_turn_is_undone(turned: str, rotation: str) -> None:
    """A picture coded turned, with the matrix that turns it back, shows as it was."""
    upright = "color=blue:size=640x360:rate=10,drawbox=w=iw/2:h=ih/2:color=red:t=fill"
    flat = made(f"flat{rotation}.mp4", *lavfi(f"{upright},{turned}", seconds=1), *X264)
    path = made(
        f"turned{rotation}.mp4",
        "-i",
        str(flat),
        "-c",
        "copy",
        "-metadata:s:v",
        f"rotate={rotation}",
    )
    picture = opened(cover_of(path))
    assert picture.size == (640, 360)
    corners = [picture.getpixel(place) for place in ((80, 60), (560, 60), (80, 300), (560, 300))]
    assert [red > 150 for red, _, _ in corners] == [True, False, False, False]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("matrix", "size"), [("bt709", "1280x720"), ("smpte170m", "640x360"), (None, "1280x720")]
)
def test_standard_colours_are_those_that_were_coded(matrix: str | None, size: str) -> None:
    coded = f"scale=out_color_matrix={matrix or 'bt709'},format=yuv420p"
    marks = ("-colorspace", matrix) if matrix else ()
    path = made(
        f"colour-{matrix}.mp4",
        *lavfi(f"color=0xC83C28:size={size}:rate=5,format=rgb24,{coded}", seconds=1),
        *(*X264, "-crf", "5", *marks),
    )
    assert opened(cover_of(path)).getpixel((100, 100)) == pytest.approx((0xC8, 0x3C, 0x28), abs=4)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize(
    "light",
    [
        "",
        ":max-cll=400,200",
        ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)",
    ],
)
def test_hdr_looks_as_the_ffmpeg_program_maps_it(transfer: str, light: str) -> None:
    """Within 2 of 255 in the mean, and 99 of 100 values within 16, over all of BT.2020.

    What differs most lies outside of BT.709, where no screen shows it: inside, it is 1 or 2.
    """
    marks = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited{light}"
    path = made(
        f"hdr-{transfer}{len(light)}.mp4",
        *lavfi(f"{COLOURS}:rate=5,format=yuv420p10le", seconds=0.6),
        *(*X265, "-x265-params", f"log-level=error:{marks}"),
    )
    command = ("ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", TONEMAP)
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True
    ).stdout
    mean, nearly_all = difference(
        opened(cover_of(path, 0.0)), Image.frombytes("RGB", (640, 360), raw)
    )
    assert mean <= 2
    assert nearly_all <= 16


@pytest.mark.parametrize("make", [media_files.portrait_mov, media_files.h264_mkv])
def test_a_cover_holds_pixels_only(make: Callable[[], Path]) -> None:
    jpeg = cover_of(make()).jpeg
    assert not any(word in jpeg for word in (b"52.5163", b"At home", b"Exif", b"ICC", b"Lavc"))


def test_a_short_clip_of_a_phone_in_4k_has_candidates_behind_its_cover(tmp_path: Path) -> None:
    """Of one keyframe, in ten bits: what the cover took of the memory is given back before."""
    source = ("-f", "lavfi", "-i", "testsrc2=size=3840x2160:rate=24", "-frames:v", "20")
    x265 = ("-x265-params", "log-level=error:keyint=240:ref=4:bframes=3")
    codec = ("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", *x265)
    media_files.run_ffmpeg(*source, *codec, str(tmp_path / "a.mp4"))
    with (
        open_file(tmp_path / "a.mp4") as opened,
        examine(opened, with_covers=True) as examination,
    ):
        assert examination.cover(0.6).at_s == pytest.approx(0.625)
        assert len(examination.candidates()) > 1
