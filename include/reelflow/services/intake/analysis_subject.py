"""A post's file as engines of content analysis read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.analysis.base import Subject
from reelflow.digest import sha256_of
from reelflow.ledger.models import Media, Post
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace


@contextmanager
def open_subject(workspace: Workspace, post: Post, media: Media) -> Iterator[Subject]:
    """Hold a file open for an engine.

    :raises MediaUnreadableError: it is gone
    :raises SourceChangedError: it is not the file that was registered
    """
    with open_media(workspace, media, post_id=post.id) as source:
        sha256 = media.sha256 or sha256_of(source)
        yield Subject(source, sniff(source.read_at(0, HEAD_BYTES)), sha256)
