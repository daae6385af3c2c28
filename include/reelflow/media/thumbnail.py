"""The cover picture of a file as a file: a small JPEG without metadata."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from reelflow.exceptions import StorageFullError
from reelflow.media.inspection import examine
from reelflow.source import open_file


def make_thumbnail(source: Path, target: Path, *, at_s: float | None = None) -> tuple[int, int]:
    """Write a JPEG cover of at most 640 pixels a side; a smaller picture is not enlarged.

    The target appears whole or not at all.

    :param at_s: show exactly this moment; without it, a good frame near the first third, which
        costs a fraction of the work
    :return: width and height of the thumbnail
    :raises MediaRejectedError: no frame can be decoded
    :raises MediaUnreadableError: the source is missing, a link, or not a plain file
    :raises SourceChangedError: somebody wrote to the source meanwhile
    :raises MediaToolError: libav is missing (code `DECODER_MISSING`), was killed or ran out of
        time; trying again may work
    :raises StorageFullError: the disk of the target is full
    :raises OSError: the target cannot be written
    """
    with open_file(source) as opened, examine(opened, with_covers=True) as examination:
        cover = examination.cover(at_s)
    write_whole(target, cover.jpeg)
    return cover.width, cover.height


def write_whole(target: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    :raises StorageFullError: the disk is full
    """
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        part.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"No room is left on the disk of {str(target.parent)!r}; free some space."
            raise StorageFullError(message) from error
        raise
    finally:
        part.unlink(missing_ok=True)
