from typing import Any

import pytest

from reelflow.media.probe import facts_from_answer

VIDEO: dict[str, Any] = {
    "codec_type": "video",
    "codec_name": "h264",
    "width": 1280,
    "height": 720,
    "sample_aspect_ratio": "1:1",
    "avg_frame_rate": "30000/1001",
    "r_frame_rate": "30000/1001",
    "disposition": {"attached_pic": 0},
}
AUDIO = {"codec_type": "audio", "codec_name": "aac", "duration": "3.5"}


def read(*streams: dict[str, Any], **container: Any) -> dict[str, Any]:
    return facts_from_answer({"format": container, "streams": list(streams)})


def with_video(**changes: Any) -> dict[str, Any]:
    return read(VIDEO | changes)


def rotated(degrees: Any) -> dict[str, Any]:
    return with_video(side_data_list=[{"side_data_type": "Display Matrix", "rotation": degrees}])


def test_a_common_answer_gives_its_facts() -> None:
    facts = read(VIDEO, AUDIO, duration="3.600000", bit_rate="800000")
    assert facts["duration_s"] == 3.6
    assert facts["bit_rate_bps"] == 800_000
    assert (facts["video_codec"], facts["audio_codec"]) == ("h264", "aac")
    assert (facts["display_width"], facts["display_height"]) == (1280, 720)
    assert facts["average_frame_rate"] == pytest.approx(29.97, abs=0.001)
    assert facts["variable_frame_rate"] is False


def test_an_empty_answer_gives_no_fact_and_no_error() -> None:
    assert set(facts_from_answer({}).values()) == {None}


@pytest.mark.parametrize(
    ("matrix", "clockwise", "shown"),
    [
        (-90, 90, (720, 1280)),
        (90, 270, (720, 1280)),
        (180, 180, (1280, 720)),
        (-180, 180, (1280, 720)),
        (0, 0, (1280, 720)),
        (-9223372036854775808, 0, (1280, 720)),
        ("nan", 0, (1280, 720)),
        (None, 0, (1280, 720)),
    ],
)
def test_the_display_matrix_counts_counter_clockwise(
    matrix: Any, clockwise: int, shown: tuple[int, int]
) -> None:
    facts = rotated(matrix)
    assert facts["rotation_degrees"] == clockwise
    assert (facts["display_width"], facts["display_height"]) == shown


def test_the_old_rotate_tag_counts_clockwise() -> None:
    assert with_video(tags={"rotate": "90"})["rotation_degrees"] == 90


@pytest.mark.parametrize(
    ("aspect", "width"),
    [("3:2", 1920), ("0:1", 1280), ("1:0", 1280), (None, 1280), ("junk", 1280), ("9999:1", 1280)],
)
def test_the_sample_aspect_widens_the_display_and_nonsense_does_not(
    aspect: str | None, width: int
) -> None:
    assert with_video(sample_aspect_ratio=aspect)["display_width"] == width


def test_cover_art_is_not_the_video() -> None:
    cover = {"codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}
    assert read(cover, VIDEO)["video_codec"] == "h264"
    assert "video_codec" not in read(cover)


@pytest.mark.parametrize("duration", [None, "N/A", "nan", "inf", "0", "-5"])
def test_without_a_sane_duration_the_longest_stream_counts(duration: str | None) -> None:
    assert read(VIDEO | {"duration": "3.0"}, AUDIO, duration=duration)["duration_s"] == 3.5


@pytest.mark.parametrize(
    ("average", "nominal", "variable"),
    [("282/10", "120/1", True), ("30/1", "30/1", False), ("0/0", "30/1", False)],
)
def test_a_rate_is_variable_when_the_two_differ(average: str, nominal: str, variable: bool) -> None:
    facts = with_video(avg_frame_rate=average, r_frame_rate=nominal)
    assert facts["variable_frame_rate"] is variable


def test_an_unknown_average_rate_stays_unknown() -> None:
    assert with_video(avg_frame_rate="0/0")["average_frame_rate"] is None


@pytest.mark.parametrize(
    ("transfer", "hdr"),
    [("smpte2084", "smpte2084"), ("arib-std-b67", "arib-std-b67"), ("bt709", None), (None, None)],
)
def test_only_pq_and_hlg_are_hdr(transfer: str | None, hdr: str | None) -> None:
    assert with_video(color_transfer=transfer)["hdr_transfer"] == hdr


def test_private_tags_never_get_in() -> None:
    private = {
        "location": "+52.5163+013.3777/",
        "com.apple.quicktime.location.ISO6709": "+52.5163+013.3777/",
        "artist": "Jane Roe",
        "title": "At home",
        "major_brand": "qt  ",
        "creation_time": "2026-11-20T10:00:00.000000Z",
    }
    facts = read(VIDEO | {"tags": private}, tags=private)
    assert facts["container_brand"] == "qt"
    assert facts["creation_time"] == "2026-11-20T10:00:00+00:00"
    assert not any(word in str(facts) for word in ("52.5", "Jane", "home"))


@pytest.mark.parametrize("brand", ["\x1b[2J", "b" * 1000])
def test_the_brand_is_kept_short_and_printable(brand: str) -> None:
    kept = read(VIDEO, tags={"major_brand": brand})["container_brand"]
    assert kept.isprintable()
    assert len(kept) <= 64


def test_a_creation_time_that_is_none_is_dropped() -> None:
    assert read(VIDEO, tags={"creation_time": "52.5163, 13.3777"})["creation_time"] is None
