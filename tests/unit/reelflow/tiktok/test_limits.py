import pytest

from reelflow.domain.chunks import ChunkPlan
from reelflow.tiktok.limits import TikTokLimits


def test_the_limits_plan_a_video() -> None:
    assert TikTokLimits().plan(64_000_001) == ChunkPlan(64_000_001, 32_000_000, 2)
    assert TikTokLimits(chunk_bytes=8_000_000).plan(64_000_001) == ChunkPlan(
        64_000_001, 8_000_000, 8
    )


@pytest.mark.parametrize("name", ["chunk_bytes", "read_timeout_s", "chunk_attempts"])
def test_a_limit_of_nothing_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        TikTokLimits(**{name: 0})


def test_the_longest_put_counts_every_wait_of_a_put() -> None:
    limits = TikTokLimits(
        connect_timeout_s=1, put_timeout_s=10, put_stall_timeout_s=100, put_answer_timeout_s=1000
    )
    assert limits.longest_put_s == 1111
