"""Keys of objects: relative paths of percent-encoded names, the same for every store.

A file's name is bytes and an S3 key is any UTF-8, so neither is safe text. In a key every byte of a
name but ``A-Z a-z 0-9 - . _ ~`` is written as ``%XX``: ``inbox/acme/Mein%20Film.mp4``. Each name
has exactly one such spelling, so keys can be compared, stored and shown as they are.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from reelflow.exceptions import InvalidObjectKeyError

#: S3's bound (AmazonS3 user guide, object-keys), kept by all stores.
KEY_MAX_BYTES: Final = 1024

#: Where a local store keeps what is not whole yet; no object lies below it.
UPLOADS_FOLDER: Final = ".uploads"


def key_of(*names: str) -> str:
    """Return the key of an object with these names, outermost folder first.

    :param names: as the system gives them: a name that is no UTF-8 has surrogates in it
    :raises InvalidObjectKeyError: a name is empty, ``.`` or ``..`` or holds a slash or a NUL byte
    """
    key = "/".join(quote_from_bytes(_encoded(name), safe="") for name in names)
    names_in(key)
    return key


def key_below(folder: str, name: str) -> str:
    """Return the key of what lies in a folder under a name that the system gave.

    :param folder: a key; empty for the store's root
    """
    part = quote_from_bytes(os.fsencode(name), safe="")
    return f"{folder}/{part}" if folder else part


def names_in(key: str) -> tuple[str, ...]:
    """Return the names of a key, outermost folder first, as the system takes them.

    :raises InvalidObjectKeyError: it is not a key, or lies outside of the store
    """
    return tuple(os.fsdecode(name) for name in raw_names_in(key))


def raw_names_in(key: str) -> tuple[bytes, ...]:
    """Return the names of a key as bytes, outermost folder first.

    :raises InvalidObjectKeyError: it is not a key, or lies outside of the store
    """
    names = tuple(_raw_name(key, part) for part in key.split("/"))
    if names[0] == UPLOADS_FOLDER.encode():
        raise InvalidObjectKeyError(
            f"{_shown(key)} lies in a folder that the store keeps for itself: choose another name",
            key=key,
        )
    if len(b"/".join(names)) > KEY_MAX_BYTES:
        raise InvalidObjectKeyError(
            f"{_shown(key)} stands for more than {KEY_MAX_BYTES} bytes: choose shorter names",
            key=key,
        )
    return names


def _raw_name(key: str, part: str) -> bytes:
    name = unquote_to_bytes(part.encode("utf-8", "surrogatepass"))
    if name in (b"", b".", b".."):
        why = "has an empty part, a '.' or a '..': give a path relative to the store's root"
    elif b"/" in name or b"\0" in name:
        why = "has a slash or a NUL byte in a name: rename it"
    elif quote_from_bytes(name, safe="") != part:
        why = "is not percent-encoded as keys are: make it with key_of()"
    else:
        return name
    raise InvalidObjectKeyError(f"{_shown(key)} {why}", key=key)


def _encoded(name: str) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError as exc:  # a surrogate that stands for no byte
        raise InvalidObjectKeyError(f"{_shown(name)} is no name of a file: rename it") from exc


def _shown(key: str) -> str:
    """Return a hostile key as it may stand in a message."""
    return repr(key) if len(key) <= 200 else f"{key[:200]!r}... ({len(key)} characters)"
