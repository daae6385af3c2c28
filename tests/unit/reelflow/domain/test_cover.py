"""The moment that a person may choose a cover at."""

from __future__ import annotations

import pytest

from reelflow.domain.cover import cover_violations
from reelflow.domain.media_facts import MediaFacts

SOUND_IS_LONGER = MediaFacts("mp4", "video", 1, duration_s=9.0, video_duration_s=2.5)


@pytest.mark.parametrize("at_ms", [None, 0, 2500])
def test_a_moment_of_the_picture_breaks_no_rule(at_ms: int | None) -> None:
    assert cover_violations(SOUND_IS_LONGER, at_ms) == []


def test_a_moment_behind_the_pictures_end_is_told_with_the_end() -> None:
    [broken] = cover_violations(SOUND_IS_LONGER, 2501)
    assert (broken.rule, broken.value) == ("cover", "2501 ms")
    assert broken.limit == "at most 2500 ms, where the picture ends"


def test_a_picture_that_starts_late_ends_as_much_later() -> None:
    late = MediaFacts("mp4", "video", 1, duration_s=9.0, video_start_s=2.0, video_duration_s=2.5)
    assert cover_violations(late, 4500) == []
    assert cover_violations(late, 4501)[0].limit == "at most 4500 ms, where the picture ends"


def test_without_a_known_length_nothing_is_told() -> None:
    assert cover_violations(MediaFacts("mp4", "video", 1), 2501) == []
