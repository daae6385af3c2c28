"""Whether a post's files are where they were put, by what storage knows of them; none is opened."""

from __future__ import annotations

from reelflow.ledger import photo_images, posts
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from reelflow.storage.inbox import INBOX


def missing_source(workspace: Workspace, post_id: int) -> str | None:
    """Say which file of a post is gone or another one by now; None if all are there.

    :raises ConfigurationError: the post cannot be read; code ``ledger_damaged``
    """
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, posts.get(session, post_id))
    trouble = (_trouble(workspace, media) for media in files)
    return next((told for told in trouble if told is not None), None)


def _trouble(workspace: Workspace, media: Media) -> str | None:
    store = workspace.folders.store
    found = store.stat(media.source_path)
    if found is None and media.moved_at is None:  # the next run takes it out of the inbox
        found = store.stat(f"{INBOX}/{media.inbox_path}")
        expected: str | None = media.inbox_identity
    else:
        expected = media.source_identity
    if found is None:
        return f"{media.file_name} is gone from {store.shown(media.source_path)}"
    if expected not in (None, found.identity):
        return f"{media.file_name} changed after it was taken from the inbox"
    return None
