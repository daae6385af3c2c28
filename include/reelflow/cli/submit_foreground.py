"""Work that Ctrl+C ends at any moment: it runs in a thread, while this one shows how far it is."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final, TypeVar

from reelflow.cli.submit_display import Display

_T = TypeVar("_T")
_TICK_S: Final = 0.1


class InterruptedByPersonError(Exception):
    """Ctrl+C was pressed."""


class Foreground:
    """Runs one piece of work after another, until Ctrl+C.

    The main thread does nothing but show and wait, so that the key always has somebody to hear it,
    and the screen is always left in order. What is under way then is left to the process's end.
    """

    def __init__(self, interrupted: Event) -> None:
        self._interrupted = interrupted

    def run(self, work: Callable[[], _T], display: Display) -> _T:
        """Return what the work returns, or raise what it raises.

        :raises InterruptedByPersonError: Ctrl+C was pressed, before or meanwhile
        """
        ended, results, errors = Event(), list[_T](), list[BaseException]()

        def do() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                errors.append(error)
            finally:
                ended.set()

        if not self._interrupted.is_set():
            Thread(target=do, daemon=True).start()
            with display:
                while not self._interrupted.is_set() and not ended.wait(_TICK_S):
                    display.refresh()
        if errors:
            raise errors[0]
        if results:
            return results[0]
        raise InterruptedByPersonError


@contextmanager
def foreground() -> Iterator[Foreground]:
    """Hear Ctrl+C within the block, as often as it is pressed."""
    interrupted = Event()
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # a shell's background job is not to be stopped by the key
        signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield Foreground(interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
