"""What each container is called in a ``Content-Type``, and which of the two kinds it is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from reelflow.domain.media_facts import IMAGE_CONTAINERS, VIDEO_EXTENSIONS, file_extension
from reelflow.domain.photos import PHOTO_EXTENSIONS


class MediaType(StrEnum):
    """What a file is taken in as."""

    VIDEO = "video"
    IMAGE = "image"


#: By the values of `MediaFacts.container`, in the order in which people are told.
CONTENT_TYPES: Final[Mapping[str, str]] = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}

#: Names of their own that browsers and other programs give the same.
_ALIASES: Final[Mapping[str, str]] = {
    "video/x-m4v": "mp4",
    "video/matroska": "mkv",
    "video/avi": "avi",
    "video/msvideo": "avi",
    "image/jpg": "jpeg",
    "image/pjpeg": "jpeg",
}


def media_type_of(container: str) -> MediaType | None:
    """Return what a container is taken in as; None for what is not taken in."""
    if container in IMAGE_CONTAINERS:
        return MediaType.IMAGE
    return MediaType.VIDEO if container in VIDEO_EXTENSIONS else None


def extensions_of(container: str) -> tuple[str, ...]:
    """Return the extensions a name may have, with their dots, the usual one first."""
    return PHOTO_EXTENSIONS.get(container) or (VIDEO_EXTENSIONS[container],)


def container_named(file_name: str) -> str | None:
    """Return the container that a name's extension promises; None if it promises none of ours."""
    extension = file_extension(file_name)
    return next((c for c in CONTENT_TYPES if extension in extensions_of(c)), None)


def container_declared(content_type: str) -> str | None:
    """Return the container that a ``Content-Type`` promises; None if it promises none of ours.

    :param content_type: with or without parameters, which say nothing of the container
    """
    essence = content_type.partition(";")[0].strip().lower()
    by_name = {name: container for container, name in CONTENT_TYPES.items()}
    return by_name.get(essence) or _ALIASES.get(essence)
