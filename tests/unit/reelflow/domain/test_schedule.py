"""The windows of runs and the pauses between tries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.schedule import NormalRun, retry_delay

FIRST, LONGEST = timedelta(seconds=30), timedelta(hours=1)


def test_a_run_misses_what_was_due_longer_ago_than_it_may_be_late() -> None:
    run = NormalRun("r", datetime(2026, 11, 21, tzinfo=UTC), timedelta(hours=24))
    assert run.missed_before == datetime(2026, 11, 20, tzinfo=UTC)


def test_pauses_double_from_the_first_to_the_longest() -> None:
    pauses = [retry_delay(n, first=FIRST, longest=LONGEST).total_seconds() for n in range(1, 10)]
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(st.integers(1, 10**9))
def test_a_pause_is_never_longer_than_the_longest_and_never_shrinks(failures: int) -> None:
    pause = retry_delay(failures, first=FIRST, longest=LONGEST)
    assert FIRST <= pause <= retry_delay(failures + 1, first=FIRST, longest=LONGEST) <= LONGEST


@pytest.mark.parametrize("failures", [0, -1])
def test_a_pause_without_a_failure_is_a_mistake_of_the_caller(failures: int) -> None:
    with pytest.raises(ValueError, match=f"failures is {failures}"):
        retry_delay(failures, first=FIRST, longest=LONGEST)
