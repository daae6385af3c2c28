"""A disk with as little room as a test says."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import pytest

_BLOCK_BYTES: Final = 4096


class _Disk(NamedTuple):
    """What the system tells of a disk, as far as it is asked for."""

    f_bavail: int
    f_blocks: int
    f_frsize: int = _BLOCK_BYTES


def fill_disk(
    monkeypatch: pytest.MonkeyPatch, *, free_bytes: int = 0, disk_bytes: int = 100 * 2**30
) -> None:
    """Let the system say that a disk has so much room left."""
    disk = _Disk(free_bytes // _BLOCK_BYTES, disk_bytes // _BLOCK_BYTES)
    monkeypatch.setattr(os, "fstatvfs", lambda _: disk)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond some size, as a full disk does not.

    Within a test, not around it: the file that pytest's words go to may be larger already.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
