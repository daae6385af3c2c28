"""What the system's refusals mean for an object in a folder."""

import errno
import os

import pytest

from reelflow.exceptions import (
    InvalidObjectKeyError,
    ObjectNotFoundError,
    ReelflowError,
    StorageAccessError,
    StorageFullError,
    StorageUnavailableError,
)
from reelflow.storage.local_errors import local_errors

KEY = "media/7.mp4"


@pytest.mark.parametrize(
    ("number", "kind", "fix"),
    [
        (errno.ENOSPC, StorageFullError, "make room for it"),
        (errno.EDQUOT, StorageFullError, "make room for it"),
        (errno.EFBIG, StorageFullError, "make room for it"),
        (errno.ENOENT, ObjectNotFoundError, "moved or deleted"),
        (errno.EACCES, StorageAccessError, "give this user permission"),
        (errno.EPERM, StorageAccessError, "give this user permission"),
        (errno.EROFS, StorageAccessError, "give this user permission"),
        (errno.ENOTDIR, InvalidObjectKeyError, "must be a folder"),
        (errno.EISDIR, InvalidObjectKeyError, "must be a folder"),
        (errno.ENAMETOOLONG, InvalidObjectKeyError, "may have 255 bytes"),
        (errno.ELOOP, InvalidObjectKeyError, "not a file or a link"),
        (errno.EXDEV, StorageAccessError, "mount the disk elsewhere"),
        (errno.EIO, StorageUnavailableError, "check the disk"),
    ],
)
def test_each_is_an_error_of_its_kind(number: int, kind: type[ReelflowError], fix: str) -> None:
    with pytest.raises(ReelflowError, match=f"{KEY}.*{fix}") as caught, local_errors(KEY):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert caught.value.context["key"] == KEY
