"""A post's file as engines of content analysis read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.analysis.base import Subject
from reelflow.digest import sha256_of
from reelflow.ledger.models import Media, Post
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.services.stage import check_unchanged, media_path
from reelflow.services.workspace import Workspace
from reelflow.source import FileSource, open_source


@contextmanager
def open_subject(workspace: Workspace, post: Post, media: Media) -> Iterator[Subject]:
    """Hold a file open for an engine.

    :raises MediaUnreadableError: it is gone
    :raises SourceChangedError: it is not the file that was registered
    """
    path = media_path(workspace, media, post_id=post.id)
    with open_source(path) as descriptor:
        check_unchanged(os.fstat(descriptor), media)
        source = FileSource(descriptor)
        sha256 = media.sha256 or sha256_of(source)
        yield Subject(source, sniff(source.read_at(0, HEAD_BYTES)), sha256)
