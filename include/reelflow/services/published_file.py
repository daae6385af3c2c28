"""What TikTok gets of a file: the file itself, or the copy of it that was prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from reelflow.domain.media_facts import IMAGE_CONTAINERS, MediaFacts
from reelflow.domain.photos import copy_reasons
from reelflow.exceptions import MediaUnreadableError, ObjectNotFoundError, SourceChangedError
from reelflow.ledger.models import Media
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace
from reelflow.source import Source

#: What validating a post once more mends.
COPY_LOST: Final = "copy_lost"
NOT_PUBLISHABLE: Final = "not_publishable"

#: Content type and extension of what TikTok takes (content-posting-api-media-transfer-guide).
_TYPES: Final = {
    "mp4": ("video/mp4", ".mp4"),
    "mov": ("video/quicktime", ".mov"),
    "webm": ("video/webm", ".webm"),
    "jpeg": ("image/jpeg", ".jpg"),
    "webp": ("image/webp", ".webp"),
}


@dataclass(frozen=True)
class PublishedFile:
    """What TikTok gets of one file.

    :param key: where it lies
    :param identity: which content lies there; None where that was never known
    :param content_type: by its content, never by a name
    :param extension: the same, with its dot
    :param is_copy: whether it was prepared for TikTok
    """

    key: str
    identity: str | None
    size_bytes: int
    content_type: str
    extension: str
    is_copy: bool


def published_file(media: Media) -> PublishedFile:
    """Return what TikTok gets of a validated file.

    Of a photo it is the file itself only when its stored facts say that it holds nothing else: one
    that was validated before anybody looked is not given away.

    :raises MediaUnreadableError: TikTok does not take it, or must not get it, as it is, and it has
        no copy; code ``not_publishable``
    """
    if media.prepared_path and media.prepared_identity and media.prepared_facts:
        facts, key, identity = media.prepared_facts, media.prepared_path, media.prepared_identity
        return _published(media, facts, key, identity, is_copy=True)
    facts = media.facts or {}
    if facts.get("container") in IMAGE_CONTAINERS:
        reasons = copy_reasons(MediaFacts.from_dict(facts))
        if reasons:
            raise _not_publishable(media, f"has no copy for TikTok ({'; '.join(reasons)})")
    return _published(media, facts, media.source_path, media.source_identity, is_copy=False)


def _published(
    media: Media, facts: Mapping[str, Any], key: str, identity: str | None, *, is_copy: bool
) -> PublishedFile:
    container = str(facts.get("container"))
    if container not in _TYPES:
        raise _not_publishable(media, f"is {container}, which TikTok does not take")
    content_type, extension = _TYPES[container]
    size_bytes = int(facts["size_bytes"]) if is_copy else media.size_bytes
    return PublishedFile(key, identity, size_bytes, content_type, extension, is_copy)


def _not_publishable(media: Media, why: str) -> MediaUnreadableError:
    return MediaUnreadableError(
        f"{media.file_name} {why}: validate its post first", code=NOT_PUBLISHABLE
    )


@contextmanager
def open_published(workspace: Workspace, media: Media, *, post_id: int) -> Iterator[Source]:
    """Hold open what TikTok gets of one of a post's files; it is what was validated or prepared.

    :raises MediaUnreadableError: it is gone; of a copy, also when it is not the one that was made
        (code ``copy_lost``); or TikTok must not get it (code ``not_publishable``)
    :raises SourceChangedError: somebody replaced the file or wrote to it since
    """
    file = published_file(media)
    if not file.is_copy:
        with open_media(workspace, media, post_id=post_id) as source:
            yield source
        return
    try:
        with workspace.folders.open(file.key, identity=file.identity) as source:
            yield source
    except (ObjectNotFoundError, MediaUnreadableError, SourceChangedError) as exc:
        copy = f"the copy of {media.file_name} that was made for TikTok"
        raise MediaUnreadableError(
            f"{copy}, {workspace.folders.store.shown(file.key)}, was deleted or changed",
            code=COPY_LOST,
            found=f"{copy} was deleted or changed",
        ) from exc
