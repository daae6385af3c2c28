"""Checks of the bucket that media lie in: everything that a post's way asks of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reelflow.cli.findings import Finding, Status
from reelflow.exceptions import (
    ConfigurationError,
    ObjectExistsError,
    ReelflowError,
    SourceChangedError,
)

if TYPE_CHECKING:
    from reelflow.settings import Settings
    from reelflow.storage.base import MediaStore

_CONTENT: Final = b"Written by `reelflow doctor`, which deletes it at once.\n"
_PART_BYTES: Final = 5 * 1024 * 1024


def check_storage(settings: Settings) -> Iterator[Finding]:
    """Say whether the bucket can be used: listed, written to, read, deleted from, moved in.

    A small object with a name of its own is put, moved and deleted again, and an upload begun and
    aborted; only a bucket's versioning keeps something of that. Silent where media lie in a folder.

    :raises ConfigurationError: the connection is missing or malformed
    """
    from reelflow.storage.aws_variable import open_s3
    from reelflow.storage.folders import PROBES

    location = settings.storage_location
    if location is None:
        return
    store = open_s3(location, os.environ)
    probe = f"{PROBES}/{uuid.uuid4().hex}"
    where, shown = store.shown(""), store.shown(probe)
    failed = _first_failure(store, probe)
    if failed is None:
        message = f"{where} can be listed, written to, read, deleted from and moved in"
        yield Finding("storage", Status.OK, message)
        return
    what, error = failed
    yield Finding("storage", Status.PROBLEM, f"{where} cannot be {what}: {error}")
    if what == "deleted from":
        left = f"what this check has written is still there: {shown}"
        yield Finding("storage", Status.WARNING, left, f"delete it: aws s3 rm {shown}")


def _first_failure(store: MediaStore, probe: str) -> tuple[str, ReelflowError] | None:
    """Try one thing after the other; return what cannot be done, and why."""
    from reelflow.storage.folders import FOLDERS

    moved = f"{probe}-moved"
    steps: dict[str, Callable[[], object]] = {
        "listed": lambda: store.check(FOLDERS),
        "written to": lambda: _put(store, probe),
        "read": lambda: _read(store, probe),
        "kept from being overwritten": lambda: _put_if_absent(store, probe),
        "deleted from": lambda: store.delete(probe),
        "moved in": lambda: _move(store, probe, moved),
        "uploaded to in parts": lambda: _begin_and_abort(store, probe),
    }
    for what, step in steps.items():
        try:
            step()
        except ReelflowError as error:
            if what not in ("listed", "deleted from"):
                with suppress(ReelflowError):  # what went wrong first is what is told
                    store.delete(probe)
                    store.delete(moved)
            return what, error
    return None


def _put(store: MediaStore, key: str, *, only_if_absent: bool = False) -> None:
    store.put(key, _CONTENT, size_bytes=len(_CONTENT), only_if_absent=only_if_absent)


def _put_if_absent(store: MediaStore, key: str) -> None:
    """See that what is there is left alone, though a put would replace it."""
    with suppress(ObjectExistsError):
        _put(store, key, only_if_absent=True)
        raise ConfigurationError(
            f"{store.shown(key)} was, on condition that it is not there: take a storage that knows"
            " conditional writes (If-None-Match)",
            code="storage_unconditional",
        )


def _move(store: MediaStore, source: str, target: str) -> None:
    """Do what takes a file out of the inbox, but leaves one that has come in its place."""
    _put(store, source)
    with suppress(SourceChangedError):
        store.move(source, target, identity="another")
        raise ConfigurationError(
            f"{store.shown(source)} was, on condition that it is another: take a storage that knows"
            " conditional copies (x-amz-copy-source-if-match)",
            code="storage_unconditional",
        )
    store.move(source, target)
    store.delete(target)


def _read(store: MediaStore, key: str) -> None:
    with store.open(key) as source:
        source.read_at(0, source.size_bytes)


def _begin_and_abort(store: MediaStore, key: str) -> None:
    """Do what large files and the clean-up of dead uploads need."""
    store.abort(store.begin(key, size_bytes=_PART_BYTES, part_size_bytes=_PART_BYTES))
    next(iter(store.begun()), None)
