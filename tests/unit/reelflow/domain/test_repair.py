"""What is planned for a refused video: everything at once, within the limits, to another file."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.media_policy import INTAKE
from reelflow.domain.repair import Changes, Repair, plan_repair
from tests.refused_video import BOTH, MKV


def planned(name: str = "a.mkv", /, **changes: Any) -> Repair | None:
    return plan_repair(dataclasses.replace(MKV, **changes), name, BOTH)


def changes_of(**facts: Any) -> Changes:
    repair = planned(**facts)
    assert repair is not None
    assert repair.changes is not None
    return repair.changes


def test_streams_that_fit_are_copied() -> None:
    assert planned() == Repair("a.mkv", "a.mp4", ".mp4", None)


def test_all_that_must_change_does_at_once() -> None:
    assert changes_of(average_frame_rate=90.0, duration_s=300.0, width=1281) == Changes(
        makes_even=True, frame_rate=60, duration_s=179.5
    )


@pytest.mark.parametrize(
    ("facts", "frame_rate"),
    [
        ({"average_frame_rate": 60.0}, 60),
        ({"average_frame_rate": 59.94}, 60),
        ({"average_frame_rate": 23.0}, 23),
        ({"average_frame_rate": 23.976}, None),
        ({"average_frame_rate": 60.0, "container": "mov", "video_codec": "av1"}, None),
        ({"average_frame_rate": 11.0, "variable_frame_rate": True, "nominal_frame_rate": 25}, 30),
        ({"average_frame_rate": 40.0, "variable_frame_rate": True, "nominal_frame_rate": 48}, 48),
        ({"average_frame_rate": 40.0, "variable_frame_rate": True, "nominal_frame_rate": 1e3}, 30),
        ({"average_frame_rate": None}, 30),
    ],
)
def test_a_rate_that_copying_could_move_over_a_limit_is_made_anew(
    facts: dict[str, Any], frame_rate: float | None
) -> None:
    repair = planned(**facts)
    assert repair is not None
    assert (repair.changes or Changes()).frame_rate == frame_rate


def test_a_rate_without_a_limit_stays() -> None:
    repair = plan_repair(dataclasses.replace(MKV, average_frame_rate=90.0), "a.mkv", INTAKE)
    assert repair == Repair("a.mkv", "a.mp4", ".mp4", None)


def test_a_large_file_gets_a_bit_rate_that_fits_what_is_kept_of_it() -> None:
    changes = changes_of(size_bytes=BOTH.max_size_bytes + 1, duration_s=300.0)
    kilobits, buffer_kbits = changes.video_bit_rate_kbps, changes.video_buffer_kbits
    assert kilobits is not None
    assert buffer_kbits == 2 * kilobits
    kept_bytes = ((kilobits * 1000 + 128_000) * 179.5 + buffer_kbits * 1000) / 8
    assert 0.8 * BOTH.max_size_bytes < kept_bytes < BOTH.max_size_bytes


def test_of_a_short_clip_little_may_be_above_its_bit_rate() -> None:
    changes = changes_of(size_bytes=BOTH.max_size_bytes + 1, duration_s=2.0)
    assert changes.video_bit_rate_kbps is not None
    assert changes.video_buffer_kbits == -(-changes.video_bit_rate_kbps // 10)


@given(st.integers(2, 20000), st.integers(2, 20000))
def test_any_size_is_brought_into_the_limits_with_even_sides(width: int, height: int) -> None:
    repair = planned(width=width, height=height, display_width=width, display_height=height)
    assert repair is not None
    changes = repair.changes or Changes()
    kept = (width // 2 * 2, height // 2 * 2) if changes.makes_even else (width, height)
    size = changes.padded or changes.scaled or kept
    is_copy = repair.changes is None
    assert all(360 <= side <= 4096 for side in size)
    assert is_copy or all(side % 2 == 0 for side in size)


LONGEST = "y" * 245 + "-fixed.mp4"


@pytest.mark.parametrize("name", ["Clip.MP4", "clip.mp4", "dir.mp4/clip.mp4", ".mp4", LONGEST])
def test_the_source_is_never_overwritten(name: str) -> None:
    repair = planned(name, container="mp4", average_frame_rate=90.0)
    assert repair is not None
    assert repair.target_name.lower() != name.lower()
    assert repair.target_name.endswith(".mp4")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("y" * 251 + ".mp4", "y" * 245 + "-fixed.mp4"),
        ("dir/" + "\u00fc" * 125 + "y.mp4", "dir/" + "\u00fc" * 122 + "-fixed.mp4"),
        ("\udcff" * 251 + ".mp4", "\udcff" * 245 + "-fixed.mp4"),
    ],
)
def test_a_name_without_room_for_more_is_cut_between_two_characters(name: str, target: str) -> None:
    repair = planned(name, container="mp4", average_frame_rate=90.0)
    assert repair is not None
    assert repair.target_name == target


@pytest.mark.parametrize(
    "changes",
    [{"data_end_byte": 5}, {"probe_error": "no"}, {"width": None}, {"kind": "image"}],
)
def test_what_cannot_be_repaired_gets_no_plan(changes: dict[str, Any]) -> None:
    assert planned(**changes) is None
