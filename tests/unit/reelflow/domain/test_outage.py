"""How long nothing is tried: doubled with each probe that fails, up to a longest pause."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.outage import BreakerRules

RULES = BreakerRules(first_pause=timedelta(seconds=10), longest_pause=timedelta(seconds=60))


def test_the_pause_doubles_with_each_failed_probe() -> None:
    assert [RULES.pause(failed).total_seconds() for failed in range(5)] == [10, 20, 40, 60, 60]


@given(failed=st.integers(0, 10**6))
def test_it_never_shrinks_and_never_passes_the_longest(failed: int) -> None:
    assert RULES.pause(failed) <= RULES.pause(failed + 1) <= RULES.longest_pause
