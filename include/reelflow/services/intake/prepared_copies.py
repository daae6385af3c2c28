"""The copies of a photo post's images that TikTok gets in their place.

A copy is kept before the ledger tells of it, so a validated post has all that it needs. What a
crash in between left is found, or replaced, by the next try.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import copy_reasons
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.violation import Violation
from reelflow.exceptions import MediaRejectedError, MediaUnreadableError
from reelflow.ledger.models import Media, Post
from reelflow.media.prepared_photo import prepare_photo
from reelflow.services.published_file import published_file
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Kept


@dataclass(frozen=True)
class PreparedCopy:
    """A copy that lies in storage.

    :param facts: of the copy
    """

    kept: Kept
    facts: MediaFacts


def make_copies(
    workspace: Workspace, post: Post, files: Sequence[Media], facts: Sequence[MediaFacts | None]
) -> tuple[dict[str, PreparedCopy], list[Violation]]:
    """Make a copy of each image of a post that TikTok must not get as it is; originals stay.

    :param facts: of each file, all of which are taken in
    :return: the copies by the ids of their files, and what keeps others from being copied
    :raises MediaUnreadableError: a file is gone since it was judged
    :raises SourceChangedError: somebody wrote to it since
    """
    copies: dict[str, PreparedCopy] = {}
    broken: list[Violation] = []
    for media, measured in zip(files, facts, strict=True):
        if post.kind is not PostKind.PHOTO or measured is None or not copy_reasons(measured):
            continue
        try:
            copies[media.id] = _copy(workspace, post, media)
        except MediaRejectedError as exc:
            broken += [Violation(**violation).of(media.file_name) for violation in exc.violations]
    return copies, broken


def _copy(workspace: Workspace, post: Post, media: Media) -> PreparedCopy:
    written = io.BytesIO()
    with open_media(workspace, media, post_id=post.id) as source:
        facts = prepare_photo(source, written)
    return PreparedCopy(workspace.folders.put_prepared(media.id, written.getvalue()), facts)


def store_copy(media: Media, copy: PreparedCopy | None) -> None:
    """Write down what TikTok gets of a file, in the transaction in which it is validated."""
    media.prepared_path = copy.kept.key if copy else None
    media.prepared_identity = copy.kept.identity if copy else None
    media.prepared_facts = copy.facts.as_dict() if copy else None


def copies_are_there(workspace: Workspace, post: Post, files: Sequence[Media]) -> bool:
    """Whether nothing is to be copied before a post's images may be published.

    A copy may be lost, and a file may have been validated by a version that made none. What was
    begun already is left as it is: only a READY post is validated again.
    """
    if post.kind is not PostKind.PHOTO or post.state is not PostState.READY:
        return True
    return all(_is_there(workspace, media) for media in files)


def _is_there(workspace: Workspace, media: Media) -> bool:
    try:
        file = published_file(media)
    except MediaUnreadableError:
        return False
    if not file.is_copy:
        return True
    info = workspace.folders.store.stat(file.key)
    return info is not None and info.identity == file.identity
