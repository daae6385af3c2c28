"""What a file or photo folder of the inbox wants to be: what its sidecar says, and its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from reelflow.domain.photos import natural_order, wished_order
from reelflow.domain.sidecar import (
    SIDECAR_MAX_BYTES,
    PhotoFields,
    PostFields,
    VideoFields,
    parse_sidecar,
)
from reelflow.exceptions import (
    MediaUnreadableError,
    ObjectNotFoundError,
    SidecarError,
    SourceChangedError,
)
from reelflow.services.intake.inbox import displayed
from reelflow.storage.folders import Folders
from reelflow.storage.inbox import InboxFile, InboxFolder

_Fields = TypeVar("_Fields", bound=PostFields)


@dataclass(frozen=True)
class InboxWish:
    """What a file or folder of the inbox wants to be.

    :param files: of the post, in its order
    :param refusal: why its sidecar cannot be understood, if so; the fields are none of it then
    """

    files: Sequence[InboxFile]
    fields: PostFields
    refusal: SidecarError | None = None


def read_wish(folders: Folders, found: InboxFile | InboxFolder) -> InboxWish | None:
    """Read what is wished for; None when the sidecar is another by now."""
    try:
        if isinstance(found, InboxFolder):
            return _photo_wish(folders, found)
        return _video_wish(folders, found)
    except (ObjectNotFoundError, SourceChangedError):
        return None


def _video_wish(folders: Folders, file: InboxFile) -> InboxWish:
    try:
        return InboxWish(file.files, _read_sidecar(folders, file, VideoFields))
    except SidecarError as exc:
        return InboxWish(file.files, VideoFields(), exc)


def _photo_wish(folders: Folders, folder: InboxFolder) -> InboxWish:
    files = sorted(folder.files, key=lambda file: natural_order(file.name))
    try:
        fields = _read_sidecar(folders, folder, PhotoFields)
        if fields.images is not None:
            names = [file.name for file in files]
            files = [files[place] for place in wished_order(names, fields.images)]
        if fields.cover_index >= len(files):
            held = counted_images(len(files))
            raise ValueError(
                f"cover_index is {fields.cover_index}, but the folder holds {held}, "
                f"{'which is' if len(files) == 1 else 'the first of which is'} number 0"
            )
    except SidecarError as exc:
        return InboxWish(files, PhotoFields(), exc)
    except ValueError as exc:
        refusal = SidecarError(f"the sidecar cannot be used: {displayed(str(exc))}")
        return InboxWish(files, PhotoFields(), refusal)
    return InboxWish(files, fields)


def counted_images(count: int) -> str:
    """Return a number of images in words."""
    return f"{count} image{'' if count == 1 else 's'}"


def _read_sidecar(folders: Folders, found: InboxFile | InboxFolder, kind: type[_Fields]) -> _Fields:
    if found.sidecar_identity is None:
        return kind()
    try:
        with folders.open_sidecar(found) as source:
            data = source.read_at(0, SIDECAR_MAX_BYTES + 1)
    except MediaUnreadableError as exc:
        raise SidecarError(f"the sidecar cannot be read: {displayed(str(exc))}") from exc
    return parse_sidecar(data, kind)
