"""Publications in any state, as an upload would have left them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.workspace import Workspace

UPLOAD_URL = "https://open-upload-sg.tiktokapis.com/upload?upload_id=1&upload_token=secret-token"
_numbers = itertools.count(1)

#: The publication that belongs to a post's state.
_BESIDE = {
    PostState.HELD: PublicationState.UPLOADING,
    PostState.READY: PublicationState.UPLOADING,
    PostState.UPLOADING: PublicationState.UPLOADING,
    PostState.COMMITTING: PublicationState.COMMITTING,
    PostState.UNKNOWN: PublicationState.COMMITTING,
    PostState.PROCESSING: PublicationState.SENT,
    PostState.PUBLISHED: PublicationState.DONE,
    PostState.PUBLISHED_NO_LINK: PublicationState.DONE,
    PostState.IN_INBOX: PublicationState.DONE,
}


def make_publication(workspace: Workspace, post: Post, **columns: Any) -> Publication:
    """Add the current publication of a post; it fits the post's state unless told otherwise."""
    ledger = workspace.ledger
    size_bytes = post.media.size_bytes
    values: dict[str, Any] = {
        "state": _BESIDE.get(post.state),
        "is_current": True,
        "publish_id": f"v_pub_file~v2-1.{next(_numbers)}",
        "url_expires_at": ledger.now() + timedelta(hours=1),
        "size_bytes": size_bytes,
        "chunk_size_bytes": size_bytes,
        "total_chunks": 1,
        "created_at": ledger.now(),
        **columns,
    }
    with ledger.write() as session:
        if values["is_current"]:
            session.execute(
                update(Publication).where(Publication.post_id == post.id).values(is_current=False)
            )
        ordinal = publications.count(session, post.id) + 1
        publication = Publication(post_id=post.id, ordinal=ordinal, **values)
        if "upload_url_encrypted" not in columns:
            publications.store_upload_url(publication, ledger.cipher, UPLOAD_URL)
        session.add(publication)
    return publication
