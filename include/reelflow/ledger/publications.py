"""Publications in the ledger: one row an init at TikTok, written before the call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.publication import PublicationState, check_publication_transition
from reelflow.ledger import audit
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Publication


def current(session: Session, post_id: int) -> Publication | None:
    """Return the post's current publication, if it has one."""
    return session.scalar(
        select(Publication)
        .where(Publication.post_id == post_id, Publication.is_current)
        .execution_options(populate_existing=True)
    )


def of_post(session: Session, post_id: int) -> Sequence[Publication]:
    """Return all publications of a post, oldest first."""
    return session.scalars(
        select(Publication).where(Publication.post_id == post_id).order_by(Publication.ordinal)
    ).all()


def count(session: Session, post_id: int) -> int:
    """Return how many inits were begun for a post."""
    return (
        session.scalar(
            select(func.count()).select_from(Publication).where(Publication.post_id == post_id)
        )
        or 0
    )


def open_new(session: Session, post_id: int, *, plan: ChunkPlan, now: datetime) -> Publication:
    """Write the intention of an init, as the post's current publication.

    One that ended before, failed, stays as history.
    """
    session.execute(
        update(Publication)
        .where(Publication.post_id == post_id, Publication.is_current)
        .values(is_current=False)
    )
    publication = Publication(
        post_id=post_id,
        ordinal=count(session, post_id) + 1,
        state=PublicationState.INITIATING,
        is_current=True,
        size_bytes=plan.size_bytes,
        chunk_size_bytes=plan.chunk_size_bytes,
        total_chunks=plan.total_chunks,
        acknowledged_bytes=0,
        created_at=now,
    )
    session.add(publication)
    session.flush()
    return publication


def move(
    session: Session,
    publication: Publication,
    to: PublicationState,
    *,
    now: datetime,
    actor: str,
    why: str,
) -> None:
    """Move a publication one step along its table, with an audit row.

    :raises IllegalTransitionError: the table forbids the step; nothing changed
    """
    check_publication_transition(publication.state, to)
    audit.record(
        session,
        post_id=publication.post_id,
        publication_id=publication.id,
        at=now,
        actor=actor,
        why=f"publication {publication.ordinal}: {publication.state} to {to}: {why}",
    )
    publication.state = to
    if to is PublicationState.SUPERSEDED:
        publication.is_current = False
    session.flush()


def upload_url(publication: Publication, cipher: Cipher) -> str:
    """Return the upload URL in the clear; it is a credential, never log it.

    :raises ConfigurationError: the Fernet key is not the one it was stored with
    """
    if publication.upload_url_encrypted is None:
        raise ValueError(f"publication {publication.id} has no upload URL")
    return cipher.decrypt(
        publication.upload_url_encrypted, what=f"the upload URL of post {publication.post_id}"
    )
