"""What ``reelflow submit`` is asked to post: files and folders become posts with their fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reelflow.domain.media_facts import VIDEO_EXTENSIONS, file_extension
from reelflow.domain.photos import is_named_as_image, natural_order, wished_order
from reelflow.domain.post import PostKind, PostMode, PrivacyLevel
from reelflow.domain.sidecar import PhotoFields, PostFields, VideoFields, read_fields
from reelflow.domain.violation import Violation
from reelflow.exceptions import SidecarError, TerminalError

#: What Windows leaves in a folder of pictures; hidden names are left out all the same.
_LITTER: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Found:
    """Files that become one post."""

    kind: PostKind
    name: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Wish:
    """A post that is asked for; its files are not looked into yet.

    :param place: where it was asked for, as people find it again: a row, or the name itself
    """

    place: str
    account: str
    found: Found
    fields: PostFields

    @property
    def paths(self) -> tuple[Path, ...]:
        """The post's files in its order."""
        images = self.fields.images if isinstance(self.fields, PhotoFields) else None
        if images is None:
            return self.found.paths
        order = wished_order([path.name for path in self.found.paths], images)
        return tuple(self.found.paths[place] for place in order)


@dataclass(frozen=True)
class Problem:
    """Why a post cannot be submitted.

    :param place: the row, or the name, that asked for it
    :param told: one sentence; empty where the broken rules tell it
    """

    place: str
    told: str = ""
    violations: tuple[Violation, ...] = ()


def find_posts(path: Path) -> list[Found]:
    """Return the posts that a file or folder becomes.

    A folder of photos is one post, in the order of their names as people count; of a folder of
    videos each is one.

    :raises TerminalError: it is missing, or it is not clear what it should become
    """
    if not path.exists():
        raise TerminalError(f"{str(path)!r} does not exist: check the name")
    if not path.is_dir():
        return [Found(_kind(path), path.name, (path,))]
    inner = [one for one in path.iterdir() if not _is_litter(one)]
    paths = tuple(sorted(inner, key=lambda one: natural_order(one.name)))
    if not paths:
        raise TerminalError(f"{str(path)!r} holds no file: put photos or videos into it")
    for one in paths:
        if one.is_dir():
            raise TerminalError(
                f"{str(path)!r} holds the folder {one.name!r}: give each folder of photos by itself"
            )
    kinds = {_kind(one) for one in paths}
    if len(kinds) > 1:
        raise TerminalError(
            f"{str(path)!r} holds both photos and videos: give a folder of photos, which is one "
            "post, or of videos, each of which is one"
        )
    if kinds == {PostKind.PHOTO}:
        return [Found(PostKind.PHOTO, path.absolute().name, paths)]
    return [Found(PostKind.VIDEO, one.name, (one,)) for one in paths]


def wishes_of(files: Sequence[Path], account: str, values: Mapping[str, Any]) -> list[Wish]:
    """Return the posts that the command line asks for.

    :param values: the fields that all of them get
    :raises TerminalError: a file is nothing that can be posted
    """
    found = [post for path in files for post in find_posts(path)]
    loose = [path for path in files if is_named_as_image(path.name) and not path.is_dir()]
    if len(loose) > 1:
        raise TerminalError(
            f"{len(loose)} photos were given one by one: put them into a folder, which is one post "
            "of them all, or run this once for each"
        )
    return [Wish(post.name, account, post, fields_of(values, post.kind)) for post in found]


def fields_of(values: Mapping[str, Any], kind: PostKind) -> PostFields:
    """Return the fields of a post, checked as a sidecar's are.

    :raises SidecarError: naming each field that is wrong, with its value and what it takes
    """
    model = PhotoFields if kind is PostKind.PHOTO else VideoFields
    try:
        fields: PostFields = read_fields(json.dumps(dict(values)).encode(), model)
    except ValueError as error:
        raise SidecarError(str(error)) from None
    if fields.privacy_level is None and fields.mode is not PostMode.DRAFT:
        raise SidecarError(
            "privacy_level is not given, and TikTok forbids to choose one for the creator: use "
            f"one of {', '.join(PrivacyLevel)}"
        )
    return fields


def _kind(path: Path) -> PostKind:
    """Return what a file is by its name; what it holds is compared with that later."""
    if is_named_as_image(path.name):
        return PostKind.PHOTO
    if file_extension(path.name) in VIDEO_EXTENSIONS.values():
        return PostKind.VIDEO
    raise TerminalError(
        f"{str(path)!r} is neither a photo nor a video by its name: leave it out, or name it after "
        "what it is, such as .mp4 or .jpg"
    )


def _is_litter(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _LITTER
