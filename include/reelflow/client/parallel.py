"""Doing several things at once, in threads that never keep the process from ending."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import TypeVar

from reelflow.exceptions import TransientError

_T = TypeVar("_T")


def do_all(work: Callable[[_T], None], items: Iterable[_T], *, at_once: int) -> None:
    """Do some work for each item, in their order; after an error nothing new is begun.

    :raises Exception: the first error, or rather the first that does not pass by itself
    """
    waiting, lock, errors = deque(items), Lock(), list[Exception]()

    def take() -> None:
        while True:
            with lock:
                if errors or not waiting:
                    return
                item = waiting.popleft()
            try:
                work(item)
            except Exception as error:  # noqa: BLE001 - raised again below, in the caller's thread
                with lock:
                    errors.append(error)

    threads = [Thread(target=take, daemon=True) for _ in range(min(at_once, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise next((one for one in errors if not isinstance(one, TransientError)), errors[0])
