"""Work that a server does beside its requests, again and again until it stops."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

log = logging.getLogger(__name__)

#: Work that does not end is left alone: every step of it may be the last.
_STOP_TIMEOUT_S: Final = 5.0


@contextmanager
def repeating(work: Callable[[], object], *, interval_s: float) -> Iterator[None]:
    """Do some work at once and after every interval, in a thread, while the block lasts.

    What goes wrong is logged, and tried again after the next interval.
    """
    is_over = Event()

    def repeat() -> None:
        while True:
            try:
                work()
            except Exception:
                log.exception("work in the background failed; it is tried again")
            if is_over.wait(interval_s):
                return

    thread = Thread(target=repeat, name="background", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_STOP_TIMEOUT_S)
