"""A bound on the memory that one piece of work in this process may take."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

_MEMORY: Final = Path("/proc/self/statm")
_DATA_FIELD: Final = 5  # pages of data and stack (proc_pid_statm(5))
#: The limit is the process's: one piece of work after the other.
_lock = Lock()


@contextmanager
def memory_fence(growth_bytes: int) -> Iterator[None]:
    """Let the process's memory grow by so much while the block lasts.

    What asks for more is refused it: Python raises MemoryError, libraries say in their own way
    that they failed. Other threads share the bound, and wait for it where they want one, too.
    A system without Linux's ``/proc`` sets no such bound.
    """
    if not _MEMORY.exists():
        yield
        return
    with _lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        bounds.append(_data_bytes() + growth_bytes)
        resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    pages = int(_MEMORY.read_text().split()[_DATA_FIELD])
    return pages * os.sysconf("SC_PAGE_SIZE")
