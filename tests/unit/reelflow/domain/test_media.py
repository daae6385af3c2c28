import dataclasses
from typing import Any

import pytest

from reelflow.domain.media import (
    INTAKE,
    TIKTOK,
    MediaFacts,
    Violation,
    publishing_violations,
    violations,
)
from reelflow.media.repair_line import repair_line

GOOD = MediaFacts(
    container="mp4",
    kind="video",
    size_bytes=1_000_000,
    faststart=True,
    duration_s=12.5,
    width=1080,
    height=1920,
    display_width=1080,
    display_height=1920,
    video_codec="h264",
    audio_codec="aac",
    average_frame_rate=30.0,
    nominal_frame_rate=30.0,
)


def broken(name: str = "clip.mp4", /, **changes: Any) -> dict[str, Violation]:
    """What publishing says about a good file with some facts changed, by rule."""
    found = publishing_violations(dataclasses.replace(GOOD, **changes), name, repair_line)
    assert len({violation.rule for violation in found}) == len(found)
    return {violation.rule: violation for violation in found}


def test_a_good_file_breaks_nothing() -> None:
    assert publishing_violations(GOOD, "clip.mp4", repair_line) == []


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("duration", {"duration_s": 1.0}, {"duration_s": 0.999}),
        ("duration", {"duration_s": 180.0}, {"duration_s": 180.04}),
        ("frame_rate", {"average_frame_rate": 23.0}, {"average_frame_rate": 22.99}),
        ("frame_rate", {"average_frame_rate": 60.0}, {"average_frame_rate": 60.02}),
        ("resolution", {"width": 360}, {"width": 359}),
        ("resolution", {"height": 360}, {"height": 359}),
        ("resolution", {"width": 4096}, {"width": 4097}),
        ("resolution", {"height": 4096}, {"height": 4097}),
        ("size", {"size_bytes": 500 * 1024**2}, {"size_bytes": 500 * 1024**2 + 1}),
        ("video_codec", {"video_codec": "hevc"}, {"video_codec": "av1"}),
    ],
)
def test_each_limit_is_kept_at_its_edge_and_broken_one_step_beyond(
    rule: str, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert broken(**inside) == {}
    assert list(broken(**outside)) == [rule]


def test_millisecond_timestamps_do_not_break_60_fps() -> None:
    assert broken(average_frame_rate=60.004) == {}


def test_all_broken_rules_are_named_at_once_with_value_limit_and_fix() -> None:
    found = broken(
        "holiday.mp4", container="avi", duration_s=200.0, width=5000, average_frame_rate=120.0,
        video_codec="mpeg4",
    )  # fmt: skip
    assert set(found) == {
        "extension", "container", "duration", "resolution", "frame_rate", "video_codec",
    }  # fmt: skip
    assert found["resolution"].value == "5000x1920 px"
    assert found["resolution"].limit == "360 to 4096 px each side"
    assert found["duration"].limit == "1 to 180 s"
    assert found["frame_rate"].limit == "23 to 60 fps"
    assert all(violation.fix for violation in found.values())


def test_one_command_line_repairs_all_that_ffmpeg_can_repair() -> None:
    found = broken("a.mkv", container="mkv", average_frame_rate=120.0)
    assert found["container"].fix == found["frame_rate"].fix
    assert found["container"].fix.startswith("ffmpeg -i a.mkv ")
    assert " -r 60 " in found["container"].fix


def test_avi_passes_the_house_rules_but_not_the_platforms() -> None:
    facts = dataclasses.replace(GOOD, container="avi", video_codec="mpeg4")
    assert violations(facts, "clip.avi", INTAKE, repair_line) == []
    found = {v.rule: v for v in publishing_violations(facts, "clip.avi", repair_line)}
    assert set(found) == {"container", "video_codec"}
    assert found["container"].fix == (
        "ffmpeg -i clip.avi -map 0:V:0 -map '0:a:0?' -c:a aac -c:v libx264 -movflags +faststart "
        "-pix_fmt yuv420p clip.mp4"
    )


@pytest.mark.parametrize(
    ("picture_s", "rules"), [(6.25, []), (6.2, ["picture"]), (20.0, []), (None, [])]
)
def test_most_of_a_video_must_show_a_picture(picture_s: float | None, rules: list[str]) -> None:
    assert list(broken(video_duration_s=picture_s)) == rules  # of 12.5 s


def test_a_picture_that_ends_early_is_told_with_the_line_that_ends_the_sound_there() -> None:
    found = broken(duration_s=100.0, video_duration_s=3.0)["picture"]
    assert found.value == "ends after 3 s of 100 s"
    assert " -t 3 " in found.fix


def test_a_picture_that_starts_late_is_told_with_the_line_that_starts_the_sound_there() -> None:
    found = broken(duration_s=100.0, video_start_s=8.0, video_duration_s=3.0)["picture"]
    assert found.value == "starts after 8 s and lasts 3 s of 100 s"
    assert " -ss 8 -t 3 " in found.fix


def test_no_line_makes_a_video_that_is_too_short() -> None:
    found = broken("a.mkv", container="mkv", duration_s=9.0, video_duration_s=0.5)
    assert list(found) == ["container", "picture"]
    assert not any("ffmpeg" in violation.fix for violation in found.values())


def test_the_platform_alone_has_no_house_duration() -> None:
    assert (
        violations(dataclasses.replace(GOOD, duration_s=600.0), "clip.mp4", TIKTOK, repair_line)
        == []
    )


def test_a_smaller_house_limit_is_obeyed() -> None:
    house = dataclasses.replace(INTAKE, max_size_bytes=10)
    assert [v.rule for v in publishing_violations(GOOD, "clip.mp4", repair_line, house)] == ["size"]


@pytest.mark.parametrize(
    ("name", "container"),
    [("clip.MP4", "mp4"), ("a.b.mov", "mov"), ("x.webm", "webm"), ("dir/x.mp4", "mp4")],
)
def test_an_extension_agrees_with_the_content_in_any_case(name: str, container: str) -> None:
    codec = {"video_codec": "vp9"} if container == "webm" else {}
    assert broken(name, container=container, **codec) == {}


@pytest.mark.parametrize("name", ["clip.mov", "clip", ".mp4", "mp4", "clip.mp4.txt", "d.mp4/clip"])
def test_an_extension_that_lies_is_told_with_the_right_one(name: str) -> None:
    found = broken(name)
    assert list(found) == ["extension"]
    assert "ends in .mp4" in found["extension"].fix


def test_the_line_that_mends_a_file_mends_its_name_as_well() -> None:
    """Who renames the file first has none any more that the line could read."""
    found = broken("a.mp4", container="mkv", average_frame_rate=120.0)
    assert found["extension"].fix == found["container"].fix
    assert found["extension"].fix.startswith("ffmpeg -i a.mp4 ")
    assert found["extension"].fix.endswith(" a-fixed.mp4")


def test_an_empty_file_breaks_one_rule_only() -> None:
    empty = MediaFacts("other:empty", "other", 0)
    assert [v.rule for v in publishing_violations(empty, "clip.mp4", repair_line)] == ["empty"]


def test_text_with_a_video_name_is_called_text() -> None:
    found = publishing_violations(MediaFacts("other:text", "other", 420), "clip.mp4", repair_line)
    assert [(v.rule, v.value, v.limit) for v in found] == [
        ("type", "text content", ".mp4 .mov .webm")
    ]


@pytest.mark.parametrize(
    ("container", "size_bytes", "rule", "fix"),
    [
        ("other:text", 9, "photo_type", "give a real image; renaming does not make one"),
        ("other:empty", 0, "empty", "copy or upload the file again"),
    ],
)
def test_what_is_named_as_an_image_is_not_asked_to_be_a_video(
    container: str, size_bytes: int, rule: str, fix: str
) -> None:
    facts = MediaFacts(container, "other", size_bytes)
    [found] = publishing_violations(facts, "clip.jpg", repair_line)
    assert (found.rule, found.fix) == (rule, fix)
    assert "mp4" not in found.limit
    assert "video" not in found.limit


@pytest.mark.parametrize("kind", ["flv", "mpeg-ts", "mpeg-ps", "mpeg-video", "asf"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.jpg"])
def test_a_video_of_a_type_that_is_not_taken_is_told_the_line_that_converts_it(
    kind: str, name: str
) -> None:
    facts = MediaFacts(f"other:{kind}", "other", 501 * 1024**2)
    converted, smaller = publishing_violations(facts, name, repair_line)
    assert (converted.rule, converted.value) == ("type", f"{kind} content")
    assert converted.fix.startswith(
        f"ffmpeg -i {name} -map 0:V:0 -map '0:a:0?' -c:a aac -c:v libx2"
    )
    assert "crop=trunc(iw/2)*2:trunc(ih/2)*2" in converted.fix
    assert (smaller.rule, smaller.fix) == ("size", "compress or shorten the video")


def test_a_single_image_is_told_how_photos_become_a_post() -> None:
    found = publishing_violations(MediaFacts("jpeg", "image", 420), "clip.jpg", repair_line)
    assert [v.rule for v in found] == ["photo"]
    assert "photos become a post when they lie in a folder of their own" in found[0].fix


def test_a_truncated_file_shows_where_the_data_ends_and_what_was_declared() -> None:
    found = broken(size_bytes=550, data_end_byte=550, declared_size_bytes=1000)
    assert list(found) == ["truncated"]
    assert "byte 550" in found["truncated"].value
    assert "1000 bytes" in found["truncated"].limit


def test_a_damaged_container_shows_where_it_stops_making_sense() -> None:
    found = broken(data_end_byte=32)
    assert list(found) == ["damaged"]
    assert "byte 32" in found["damaged"].value


def test_a_file_libav_refuses_shows_why_and_nothing_it_could_not_measure() -> None:
    facts = MediaFacts("mp4", "video", 99, probe_error="moov atom not found")
    found = publishing_violations(facts, "clip.mp4", repair_line)
    assert [(v.rule, v.value) for v in found] == [("unreadable", "moov atom not found")]


def test_a_video_container_with_sound_only_has_no_video() -> None:
    facts = MediaFacts("mp4", "video", 99, duration_s=5.0, audio_codec="aac")
    assert [v.rule for v in publishing_violations(facts, "song.mp4", repair_line)] == ["no_video"]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("duration", {"duration_s": None}),
        ("frame_rate", {"average_frame_rate": None}),
        ("resolution", {"width": None}),
        ("video_codec", {"video_codec": None}),
    ],
)
def test_what_cannot_be_measured_is_not_taken_for_good(rule: str, changes: dict[str, Any]) -> None:
    found = broken(**changes)
    assert list(found) == [rule]
    assert found[rule].value == "unknown"


def test_a_violation_reads_as_a_mapping() -> None:
    violation = Violation("duration", "0.5 s", "1 to 180 s", "use a longer clip")
    assert violation.as_dict() == {
        "rule": "duration", "value": "0.5 s", "limit": "1 to 180 s", "fix": "use a longer clip",
    }  # fmt: skip
