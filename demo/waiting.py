"""Waits for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from demo.exceptions import StackError


def wait_until(
    condition: Callable[[], bool],
    *,
    deadline_s: float,
    waiting_for: str,
    check: Callable[[], None] = lambda: None,
    interval_s: float = 0.25,
) -> None:
    """Ask for a condition again and again until it is true.

    :param waiting_for: what the error says was waited for
    :param check: called on each round; raises to give up early
    :raises StackError: if the deadline passes first
    """
    ends_at = time.monotonic() + deadline_s
    while True:
        check()
        if condition():
            return
        if time.monotonic() > ends_at:
            raise StackError(f"waited {deadline_s:.0f} s for {waiting_for}")
        time.sleep(interval_s)
