"""What is said of a file before its bytes come, and what of that is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reelflow.domain.content_types import (
    CONTENT_TYPES,
    MediaType,
    container_declared,
    container_named,
    extensions_of,
    media_type_of,
)
from reelflow.domain.media_policy import TIKTOK, MediaPolicy
from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.exceptions import TerminalError
from reelflow.services.uploads.first_look import SAYS_NOTHING


@dataclass(frozen=True)
class Announcement:
    """A file that is to be sent.

    :param file_name: as its sender calls it
    :param content_type: as its sender says
    :param chunk_size_bytes: wished; the limits may ask for another
    :param sha256: of the whole, compared when it is validated; 64 lower-case hex digits
    :param post_id: the post that waits for it
    :param post: the fields of the post to make of it
    """

    file_name: str
    size_bytes: int
    content_type: str
    media_type: MediaType
    chunk_size_bytes: int | None = None
    sha256: str | None = None
    post_id: int | None = None
    post: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AnnouncedType:
    """What an announced file must turn out to be.

    :param extension: with its dot
    """

    content_type: str
    extension: str


def check_announcement(announced: Announcement, house: MediaPolicy) -> AnnouncedType:
    """Refuse a file that would be refused once it is here.

    :raises TerminalError: ``unsupported_media_type`` or ``file_too_large``
    """
    found = _announced_type(announced)
    if announced.media_type is MediaType.VIDEO:
        limit = house.narrowed_by(TIKTOK).max_size_bytes
    else:
        limit = INTAKE_PHOTOS.max_size_bytes
    if announced.size_bytes > limit:
        raise TerminalError(
            f"a file of {announced.size_bytes} bytes is too large: {announced.media_type} files may"
            f" have {limit}",
            code="file_too_large",
            size_bytes=announced.size_bytes,
            limit=limit,
        )
    return found


def _announced_type(announced: Announcement) -> AnnouncedType:
    essence = announced.content_type.partition(";")[0].strip().lower()
    if essence in SAYS_NOTHING:
        container = container_named(announced.file_name)
    else:
        container = container_declared(essence)
    if container is None or media_type_of(container) is not announced.media_type:
        taken: Final = [
            name
            for known, name in CONTENT_TYPES.items()
            if media_type_of(known) is announced.media_type
        ]
        raise TerminalError(
            f"{announced.content_type[:100]!r} is not taken as {announced.media_type}: send one of "
            f"{', '.join(taken)}",
            code="unsupported_media_type",
            supported=taken,
        )
    return AnnouncedType(CONTENT_TYPES[container], extensions_of(container)[0])
