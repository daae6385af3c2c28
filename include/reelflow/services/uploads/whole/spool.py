"""A file that comes in one request: on the disk of this machine until it is whole and looked at."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from reelflow.media.sniff import HEAD_BYTES
from reelflow.storage.local_errors import local_errors

#: What errors call the file, which has no name.
_SHOWN: Final = "a file that is being received"


class Spool:
    """Takes a file block by block, counting and hashing it as it passes.

    :param file: new and empty
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.head = b""
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of what was written so far, in lower-case hex digits."""
        return self._digest.hexdigest()

    def write(self, *blocks: bytes) -> None:
        """Take the next bytes.

        :raises StorageFullError: no room is left on this machine
        """
        for block in blocks:
            with local_errors(_SHOWN):
                self._file.write(block)
            self._digest.update(block)
            self.size_bytes += len(block)
            if len(self.head) < HEAD_BYTES:
                self.head += block[: HEAD_BYTES - len(self.head)]

    def content(self) -> BinaryIO:
        """Return all that was written, to be read from its beginning."""
        with local_errors(_SHOWN):
            self._file.flush()
            self._file.seek(0)
        return self._file


@contextmanager
def open_spool() -> Iterator[Spool]:
    """Hold a new spool open; nothing is left of it, however the block or the process ends.

    :raises StorageFullError: no room is left on this machine
    """
    with local_errors(_SHOWN):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - what writing to it raises is told apart
    try:
        yield Spool(file)
    finally:
        with suppress(OSError):  # that a full disk keeps it from writing more is known by now
            file.close()
