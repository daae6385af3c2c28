"""A file as engines of content analysis read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from reelflow.analysis.base import Subject
from reelflow.digest import sha256_of
from reelflow.ledger.models import Media
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.services.stage import open_media
from reelflow.services.workspace import Workspace
from reelflow.storage.base import PresigningStore

#: An engine fetches a file when it is asked to judge it, or soon: whoever finds the URL later, in
#: a log of theirs, has nothing.
_URL_LIFETIME_S: Final = 15 * 60


@contextmanager
def open_subject(
    workspace: Workspace, media: Media, *, post_id: int | None = None
) -> Iterator[Subject]:
    """Hold a file open for an engine.

    :param post_id: of the post that publishes it, if there is one, for errors
    :raises MediaUnreadableError: it is gone
    :raises SourceChangedError: it is not the file that was registered
    """
    with open_media(workspace, media, post_id=post_id) as source:
        sha256 = media.sha256 or sha256_of(source)
        container = sniff(source.read_at(0, HEAD_BYTES))
        yield Subject(source, container, sha256, _url_maker(workspace, media))


def _url_maker(workspace: Workspace, media: Media) -> Callable[[], str] | None:
    """Return what presigns a file's URL where it lies by then; None where a store has no URLs."""
    store = workspace.folders.store
    if not isinstance(store, PresigningStore):
        return None

    def make_url() -> str:
        with workspace.ledger.read() as session:
            key = session.get_one(Media, media.id).source_path
        return store.presigned_get(key, lifetime_s=_URL_LIFETIME_S)

    return make_url
