"""A post's file as engines of content analysis read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reelflow.analysis.base import Subject
from reelflow.ledger.models import Media, Post
from reelflow.media.digest import sha256_file
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.media.source import open_source, read_at
from reelflow.services.stage import check_unchanged, media_path
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class _File:
    """An open file as engines read it."""

    descriptor: int
    size_bytes: int

    def read_at(self, offset: int, count: int) -> bytes:
        return read_at(self.descriptor, offset, count)


@contextmanager
def open_subject(workspace: Workspace, post: Post, media: Media) -> Iterator[Subject]:
    """Hold a file open for an engine.

    :raises MediaUnreadableError: it is gone
    :raises SourceChangedError: it is not the file that was registered
    """
    path = media_path(workspace, media, post_id=post.id)
    with open_source(path) as descriptor:
        status = os.fstat(descriptor)
        check_unchanged(status, media)
        head = read_at(descriptor, 0, HEAD_BYTES)
        sha256 = media.sha256 or sha256_file(path)
        yield Subject(_File(descriptor, status.st_size), sniff(head), sha256)
