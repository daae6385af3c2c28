"""What the system's refusals mean for an object in a folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from reelflow.exceptions import (
    InvalidObjectKeyError,
    ObjectNotFoundError,
    ReelflowError,
    StorageAccessError,
    StorageFullError,
    StorageUnavailableError,
)

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_PATH: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


@contextmanager
def local_errors(key: str) -> Iterator[None]:
    """Raise the system's errors as ours, each with the key and what to do."""
    try:
        yield
    except OSError as exc:
        raise _as_ours(exc, key) from exc


def storage_full(key: str, *, size_bytes: int | None = None) -> StorageFullError:
    """Return the error for a disk without room."""
    room = "it" if size_bytes is None else f"its {size_bytes} bytes"
    return StorageFullError(
        f"no room to write {key}: make room for {room} on the store's disk; nothing was stored",
        key=key,
    )


def is_full(exc: OSError) -> bool:
    """Whether the system says that there is no room."""
    return exc.errno in _FULL


def _as_ours(exc: OSError, key: str) -> ReelflowError:
    reason = exc.strerror or str(exc)
    if is_full(exc):
        return storage_full(key)
    if exc.errno == errno.ENOENT:
        return ObjectNotFoundError(f"{key} does not exist: it was moved or deleted", key=key)
    if exc.errno in _REFUSED:
        return StorageAccessError(
            f"{key} may not be used ({reason}): give this user permission to read and write the"
            " store's folder and all that lies in it",
            key=key,
        )
    if exc.errno in _NO_PATH:
        return InvalidObjectKeyError(
            f"{key[:200]!r} cannot be a path here ({reason}): a name may have 255 bytes, and what"
            " stands before a slash must be a folder, not a file or a link",
            key=key,
        )
    if exc.errno == errno.EXDEV:
        return StorageAccessError(
            f"{key} lies on another disk than the store's root: only the inbox may, and nothing"
            " may be written there; mount the disk elsewhere",
            key=key,
        )
    return StorageUnavailableError(
        f"{key} cannot be read or written ({reason}): check the disk it lies on", key=key
    )
