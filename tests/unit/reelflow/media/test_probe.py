from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.media import MediaFacts
from reelflow.media.probe import facts_from_answer, samples_end_byte

VIDEO: dict[str, Any] = {
    "codec": "h264",
    "width": 1280,
    "height": 720,
    "sample_aspect": "1/1",
    "average_rate": "30000/1001",
    "nominal_rate": "30000/1001",
    "rotation": 0.0,
    "transfer": None,
}


def read(video: dict[str, Any] | None = VIDEO, **container: Any) -> dict[str, Any]:
    return facts_from_answer({"video": video, **container})


def with_video(**changes: Any) -> dict[str, Any]:
    return read(VIDEO | changes)


def test_a_common_answer_gives_its_facts() -> None:
    audio = {"codec": "aac", "channels": 2, "sample_rate_hz": 48_000}
    facts = read(duration_s=3.6, bit_rate_bps=800_000, audio=audio)
    assert facts["duration_s"] == 3.6
    assert facts["bit_rate_bps"] == 800_000
    assert (facts["video_codec"], facts["audio_codec"]) == ("h264", "aac")
    assert (facts["audio_channels"], facts["audio_sample_rate_hz"]) == (2, 48_000)
    assert (facts["display_width"], facts["display_height"]) == (1280, 720)
    assert facts["average_frame_rate"] == pytest.approx(29.97, abs=0.001)
    assert facts["variable_frame_rate"] is False


def test_an_empty_answer_gives_no_fact_and_no_error() -> None:
    assert set(facts_from_answer({}).values()) == {None}


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ({"samples_end_byte": 99}, 99),
        ({"samples_end_byte": -1}, None),
        ({"samples_end_byte": "9"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_end_of_the_samples_is_a_number_or_unknown(answer: Any, end: int | None) -> None:
    assert samples_end_byte(answer) == end


@pytest.mark.parametrize(
    ("matrix", "clockwise", "shown"),
    [
        (-90, 90, (720, 1280)),
        (90, 270, (720, 1280)),
        (180, 180, (1280, 720)),
        (-180, 180, (1280, 720)),
        (0, 0, (1280, 720)),
        (-9223372036854775808, 0, (1280, 720)),
        (float("nan"), 0, (1280, 720)),
        ("-90", 0, (1280, 720)),
        (None, 0, (1280, 720)),
    ],
)
def test_the_display_matrix_counts_counter_clockwise(
    matrix: Any, clockwise: int, shown: tuple[int, int]
) -> None:
    facts = with_video(rotation=matrix)
    assert facts["rotation_degrees"] == clockwise
    assert (facts["display_width"], facts["display_height"]) == shown


@pytest.mark.parametrize(
    ("aspect", "width"),
    [("3/2", 1920), ("0/1", 1280), ("1/0", 1280), (None, 1280), ("junk", 1280), ("9999/1", 1280)],
)
def test_the_sample_aspect_widens_the_display_and_nonsense_does_not(
    aspect: str | None, width: int
) -> None:
    assert with_video(sample_aspect=aspect)["display_width"] == width


@pytest.mark.parametrize("duration", [None, "3.5", float("nan"), float("inf"), 0, -5, True, [1]])
def test_a_duration_that_is_none_stays_unknown(duration: Any) -> None:
    assert read(duration_s=duration)["duration_s"] is None


@pytest.mark.parametrize("side", [-1, 0, 2**21, "640", 1e300, None, {}])
def test_a_side_that_is_none_stays_unknown(side: Any) -> None:
    facts = with_video(width=side)
    assert (facts["width"], facts["display_width"]) == (None, None)


@pytest.mark.parametrize(
    ("average", "nominal", "variable"),
    [("282/10", "120/1", True), ("30/1", "30/1", False), ("0/0", "30/1", False)],
)
def test_a_rate_is_variable_when_the_two_differ(average: str, nominal: str, variable: bool) -> None:
    facts = with_video(average_rate=average, nominal_rate=nominal)
    assert facts["variable_frame_rate"] is variable


def test_an_unknown_average_rate_stays_unknown() -> None:
    assert with_video(average_rate="0/0")["average_frame_rate"] is None


@pytest.mark.parametrize(
    ("transfer", "hdr"),
    [("smpte2084", "smpte2084"), ("arib-std-b67", "arib-std-b67"), ("bt709", None), (None, None)],
)
def test_only_pq_and_hlg_are_hdr(transfer: str | None, hdr: str | None) -> None:
    assert with_video(transfer=transfer)["hdr_transfer"] == hdr


def test_nothing_that_is_not_a_fact_gets_in() -> None:
    private = {"location": "+52.5163+013.3777/", "artist": "Jane Roe", "title": "At home"}
    facts = read(
        VIDEO | private, **private, brand="qt  ", creation_time="2026-11-20T10:00:00.000000Z"
    )
    assert facts["container_brand"] == "qt"
    assert facts["creation_time"] == "2026-11-20T10:00:00+00:00"
    assert not any(word in str(facts) for word in ("52.5", "Jane", "home"))


@pytest.mark.parametrize("brand", ["\x1b[2J", "b" * 1000])
def test_the_brand_is_kept_short_and_printable(brand: str) -> None:
    kept = read(brand=brand)["container_brand"]
    assert kept.isprintable()
    assert len(kept) <= 64


def test_a_creation_time_that_is_none_is_dropped() -> None:
    assert read(creation_time="52.5163, 13.3777")["creation_time"] is None


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=100)
_JSON = _VALUES | st.lists(_VALUES, max_size=2) | st.dictionaries(st.text(), _VALUES, max_size=2)
_NAMES = st.sampled_from(["duration_s", "bit_rate_bps", "audio_codec", "brand", "creation_time"])


@given(st.dictionaries(_NAMES, _JSON), st.dictionaries(st.sampled_from(sorted(VIDEO)), _JSON))
def test_whatever_the_child_says_makes_facts_of_the_right_types(
    container: dict[str, Any], video: dict[str, Any]
) -> None:
    facts = MediaFacts("mp4", "video", 1, **read(VIDEO | video, **container))
    assert facts.duration_s is None or facts.duration_s > 0
    for text in (facts.video_codec, facts.audio_codec, facts.container_brand, facts.hdr_transfer):
        assert text is None or (isinstance(text, str) and len(text) <= 64)
    for number in (facts.width, facts.height, facts.display_width, facts.bit_rate_bps):
        assert number is None or isinstance(number, int)
    assert 0 <= facts.rotation_degrees < 360


@given(_JSON)
def test_an_answer_of_another_shape_gives_no_fact(answer: Any) -> None:
    assert set(facts_from_answer(answer).values()) <= {None}
