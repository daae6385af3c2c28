import pytest

from reelflow.domain.media_policy import INTAKE, TIKTOK, MediaPolicy

ANY = MediaPolicy("any", ("mp4", "mkv"), max_size_bytes=100, max_side_px=50)
STRICT = MediaPolicy(
    "strict",
    ("mkv", "mp4"),
    max_size_bytes=10,
    max_side_px=60,
    min_side_px=5,
    min_duration_s=1,
    max_duration_s=9,
    min_frame_rate=23,
    max_frame_rate=60,
    video_codecs=("h264", "vp9"),
)


@pytest.mark.parametrize(("first", "second"), [(ANY, STRICT), (STRICT, ANY)])
def test_two_policies_together_keep_the_tighter_of_each_limit(
    first: MediaPolicy, second: MediaPolicy
) -> None:
    both = first.narrowed_by(second)
    assert both == MediaPolicy(
        f"{first.name}+{second.name}",
        first.containers,
        max_size_bytes=10,
        max_side_px=50,
        min_side_px=5,
        min_duration_s=1,
        max_duration_s=9,
        min_frame_rate=23,
        max_frame_rate=60,
        video_codecs=("h264", "vp9"),
    )


def test_publishing_takes_what_both_the_house_and_the_platform_take() -> None:
    both = INTAKE.narrowed_by(TIKTOK)
    assert both.containers == ("mp4", "mov", "webm")
    assert (both.max_size_bytes, both.max_duration_s) == (INTAKE.max_size_bytes, 180)
    assert both.video_codecs == TIKTOK.video_codecs


def test_codecs_that_only_one_side_accepts_are_refused() -> None:
    narrower = MediaPolicy("n", ("mp4",), 10, 10, video_codecs=("vp9", "av1"))
    assert STRICT.narrowed_by(narrower).video_codecs == ("vp9",)
