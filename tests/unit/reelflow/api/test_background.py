from __future__ import annotations

import logging
from threading import Event, Semaphore

import pytest

from reelflow.api.background import repeating

DEADLINE_S = 10.0


def test_work_is_done_at_once_and_again_until_the_end() -> None:
    done = Semaphore(0)
    with repeating(done.release, interval_s=0.01):
        for _ in range(3):
            assert done.acquire(timeout=DEADLINE_S)
    while done.acquire(blocking=False):
        pass
    assert not done.acquire(timeout=0.1)


def test_what_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries = Semaphore(0)

    def fail() -> None:
        tries.release()
        raise ValueError("no luck")

    with caplog.at_level(logging.ERROR), repeating(fail, interval_s=0.01):
        assert tries.acquire(timeout=DEADLINE_S)
        assert tries.acquire(timeout=DEADLINE_S)
    assert "no luck" in caplog.text


def test_a_long_interval_does_not_hold_up_the_end() -> None:
    done = Event()
    with repeating(done.set, interval_s=3600):
        assert done.wait(DEADLINE_S)
