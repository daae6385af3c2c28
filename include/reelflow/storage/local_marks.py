"""Which parts of an upload lie in its file: the bytes of ``ID.received``, and locks on them."""

from __future__ import annotations

import fcntl
import os
import struct
import uuid
from contextlib import suppress
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

from reelflow.storage.content import part_busy

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NO_BOOT: Final = bytes(16)


class Mark(IntEnum):
    """What is known of one part."""

    MISSING = 0
    #: A loss of power leaves it as it is.
    ON_DISK = 1
    #: It is with the system, and on the disk soon: it counts until the machine starts anew.
    WRITTEN = 2


class PartMarks:
    """A byte for each part of an upload; behind them, in which boot of the machine it was begun.

    :param fd: descriptor of ``ID.received``, of its own: it holds the lock
    """

    def __init__(self, fd: int, part_count: int) -> None:
        self._fd = fd
        self._part_count = part_count

    @staticmethod
    def of_new_upload(part_count: int) -> bytes:
        """Return what ``ID.received`` holds at first."""
        return bytes(part_count) + _boot_id()

    def lock(self, number: int) -> None:
        """Be the only one to write a part, for as long as the descriptor is open.

        The lock is the descriptor's (``fcntl(2)``, open file description locks): it keeps out other
        threads too, and a process that dies lets go of it.

        :raises PartBusyError: somebody else is writing it
        """
        wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number - 1, 1, 0)
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, wanted)
        except (BlockingIOError, PermissionError) as exc:
            raise part_busy() from exc

    def missing(self) -> list[int]:
        """Return the numbers of the parts that do not count, in order."""
        marks, may_be_written = self._read()
        counted = {Mark.ON_DISK, Mark.WRITTEN} if may_be_written else {Mark.ON_DISK}
        return [number for number, mark in enumerate(marks, 1) if mark not in counted]

    def counts(self, number: int) -> bool:
        """Whether a part is there."""
        marks, may_be_written = self._read()
        mark = marks[number - 1]
        return mark == Mark.ON_DISK or (mark == Mark.WRITTEN and may_be_written)

    def may_be_written(self) -> bool:
        """Whether :attr:`Mark.WRITTEN` counts: the machine is up since the upload was begun."""
        return self._read()[1]

    def are_all_on_disk(self) -> bool:
        """Whether no part needs to be brought to the disk."""
        return Mark.WRITTEN not in self._read()[0]

    def set(self, number: int, mark: Mark) -> None:
        """Write what is known of a part."""
        os.pwrite(self._fd, bytes([mark]), number - 1)
        if mark == Mark.ON_DISK:
            os.fdatasync(self._fd)

    def forget_written(self) -> None:
        """Let every part be missing that is not known to be on the disk."""
        for number, mark in enumerate(self._read()[0], 1):
            if mark == Mark.WRITTEN:
                self.set(number, Mark.MISSING)

    def are_gone(self) -> bool:
        """Whether the upload was completed or aborted since this was opened."""
        return os.fstat(self._fd).st_nlink == 0

    def _read(self) -> tuple[bytes, bool]:
        content = os.pread(self._fd, self._part_count + len(_NO_BOOT), 0)
        boot_id = content[self._part_count :]
        return content[: self._part_count], boot_id == _boot_id() != _NO_BOOT


@cache
def _boot_id() -> bytes:
    """Return which boot of the machine this is; zeros where that is not told."""
    with suppress(OSError, ValueError):
        return uuid.UUID(_BOOT_ID.read_text(encoding="ascii").strip()).bytes
    return _NO_BOOT
