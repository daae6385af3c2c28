"""A disk with as little room as a test says."""

from __future__ import annotations

import os
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
