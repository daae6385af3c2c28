import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reelflow.media.memory_fence import memory_fence

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def limit() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield before
    resource.setrlimit(resource.RLIMIT_DATA, before)


def test_what_fits_is_given_and_what_does_not_is_refused() -> None:
    with memory_fence(256 * MIB):
        assert len(bytearray(64 * MIB)) == 64 * MIB
        with pytest.raises(MemoryError):
            bytearray(512 * MIB)


def test_the_limit_is_as_before_even_after_a_failure(limit: tuple[int, int]) -> None:
    with pytest.raises(MemoryError), memory_fence(64 * MIB):
        bytearray(512 * MIB)
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit
    assert len(bytearray(512 * MIB)) == 512 * MIB


def test_threads_that_want_one_at_once_leave_the_limit_as_before(limit: tuple[int, int]) -> None:
    def work(_: int) -> None:
        with memory_fence(1024 * MIB):
            os.sched_yield()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(400)))
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit


def test_a_limit_that_is_lower_already_stays(limit: tuple[int, int]) -> None:
    lower = 16 * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (lower, limit[1]))
    with memory_fence(256 * MIB):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == lower


def test_a_system_that_cannot_say_what_is_taken_goes_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: tuple[int, int]
) -> None:
    monkeypatch.setattr("reelflow.media.memory_fence._MEMORY", tmp_path / "proc")
    with memory_fence(1):
        assert resource.getrlimit(resource.RLIMIT_DATA) == limit
        assert len(bytearray(64 * MIB)) == 64 * MIB
