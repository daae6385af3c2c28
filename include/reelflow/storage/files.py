"""Moving and writing files so that a crash leaves the old or the new, never a half."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import uuid
from pathlib import Path

from reelflow.exceptions import StorageFullError


def write_atomically(path: Path, content: bytes, *, scratch: Path | None = None) -> None:
    """Write a small file so that a reader sees all of it or nothing.

    :param scratch: where it grows, on the same disk; without one, beside it
    :raises StorageFullError: no room is left
    """
    part = scratch or path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        _raise_if_full(exc, path)
        raise


def write_json_atomically(path: Path, value: object) -> None:
    """Write a value as JSON that people can read, as :func:`write_atomically` writes."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # What is no Unicode, from file names, is written as JSON's own escape.
    write_atomically(path, text.encode("utf-8", "backslashreplace"))


def status_at(path: Path) -> os.stat_result | None:
    """Return what lies at a path, a link itself and not its target; None for nothing."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def move(source: Path, destination: Path, *, scratch: Path) -> bool:
    """Rename, or copy and delete between disks; False when there is nothing to move.

    :param scratch: folder on the destination's disk, where a copy grows until it is whole
    :raises StorageFullError: no room is left
    """
    destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        try:
            source.rename(destination)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            _copy_and_delete(source, destination, scratch)
    except FileNotFoundError:
        return False
    except OSError as exc:
        _raise_if_full(exc, destination)
        raise
    return True


def _copy_and_delete(source: Path, destination: Path, scratch: Path) -> None:
    # A name of its own: another process may be copying the same file.
    part = scratch / uuid.uuid4().hex
    try:
        shutil.copy2(source, part, follow_symlinks=False)
        _flush(part)
        part.replace(destination)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    source.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the bytes on the disk before their source is deleted."""
    if stat.S_ISREG(path.lstat().st_mode):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _raise_if_full(exc: OSError, path: Path) -> None:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        raise StorageFullError(
            f"no room to write {path}: make room on its disk; the post is kept for the next run"
        ) from exc
