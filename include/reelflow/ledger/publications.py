"""Publications in the ledger: one row an init at TikTok, written before the call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import String, and_, func, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import PostKind, PostMode, PostState, PrivacyLevel
from reelflow.domain.publication import (
    BEFORE_LAST_BYTE,
    MediaSource,
    PublicationState,
    check_publication_transition,
)
from reelflow.ledger import audit, damage
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account, Post, Publication


class Latecomer(NamedTuple):
    """A publication from which something may still come.

    :param state: of its post, as it is stored: maybe none that there is
    """

    post_id: int
    account_id: int
    state: str
    publish_id: str


def current(session: Session, post_id: int) -> Publication | None:
    """Return the post's current publication, if it has one.

    :raises ConfigurationError: somebody changed its row by hand; code ``ledger_damaged``
    """
    query = (
        select(Publication)
        .where(Publication.post_id == post_id, Publication.is_current)
        .execution_options(populate_existing=True)
    )
    try:
        return session.scalar(query)
    except damage.UNREADABLE as exc:
        damage.raise_named(session, post_id, exc)


def with_publish_id(session: Session, post_id: int, publish_id: str) -> Publication | None:
    """Return the publication of a post that TikTok knows by this id, if there is one."""
    return session.scalar(
        select(Publication).where(
            Publication.post_id == post_id, Publication.publish_id == publish_id
        )
    )


def by_publish_id(session: Session, publish_id: str) -> tuple[Publication, Post] | None:
    """Return the publication that TikTok knows by this id, with its post.

    :raises ConfigurationError: somebody changed their rows by hand; code ``ledger_damaged``
    """
    known = Publication.publish_id == publish_id
    query = select(Publication, Post).join(Post, Post.id == Publication.post_id).where(known)
    try:
        found = session.execute(query).first()
    except damage.UNREADABLE as exc:
        post_id = session.scalars(select(Publication.post_id).where(known)).one()
        damage.raise_named(session, post_id, exc)
    return None if found is None else (found[0], found[1])


def of_post(session: Session, post_id: int) -> Sequence[Publication]:
    """Return all publications of a post, oldest first.

    :raises ConfigurationError: somebody changed one by hand; code ``ledger_damaged``
    """
    query = select(Publication).where(Publication.post_id == post_id)
    try:
        return session.scalars(query.order_by(Publication.ordinal)).all()
    except damage.UNREADABLE as exc:
        damage.raise_named(session, post_id, exc)


def count(session: Session, post_id: int) -> int:
    """Return how many inits were begun for a post."""
    return (
        session.scalar(
            select(func.count()).select_from(Publication).where(Publication.post_id == post_id)
        )
        or 0
    )


def unanswered_pulls(
    session: Session, *, account_id: int, begun_after: datetime
) -> Sequence[tuple[int, PostKind, PostMode]]:
    """Return the pulls of an account that TikTok may have opened under an id that is not known.

    Also those whose posts a person has settled meanwhile. One that was given up is none: TikTok
    refused its init, or never got it.

    :return: the id of each, and what its post is
    """
    found = session.execute(
        select(Publication.id, Post.kind, Post.mode)
        .join(Post, Post.id == Publication.post_id)
        .where(
            Post.account_id == account_id,
            Publication.created_at > begun_after,
            Publication.source == MediaSource.PULL_FROM_URL,
            Publication.publish_id.is_(None),
            Publication.state != PublicationState.SUPERSEDED,
        )
        .order_by(Publication.id)
    )
    return [(publication_id, kind, mode) for publication_id, kind, mode in found]


def latecomers(
    session: Session, *, begun_after: datetime, asked_before: datetime
) -> Sequence[Latecomer]:
    """Return publications that may still become more than the ledger knows.

    Those that were given up by us, and might publish after all; public posts without a link; drafts
    that their creator may have posted. None of a revoked account.
    """
    given_up = Publication.state.in_((PublicationState.SUPERSEDED, PublicationState.FAILED))
    unlinked = and_(
        Publication.is_current,
        or_(
            and_(
                Post.state == PostState.PUBLISHED_NO_LINK,
                Post.privacy_level == PrivacyLevel.PUBLIC_TO_EVERYONE,
            ),
            Post.state == PostState.IN_INBOX,
        ),
    )
    found = session.execute(
        select(Post.id, Post.account_id, type_coerce(Post.state, String()), Publication.publish_id)
        .join(Post, Post.id == Publication.post_id)
        .join(Account, Account.id == Post.account_id)
        .where(
            Account.revoked.is_(False),
            Publication.created_at > begun_after,
            Publication.publish_id.is_not(None),
            or_(
                Publication.tiktok_status_at.is_(None), Publication.tiktok_status_at <= asked_before
            ),
            func.coalesce(Publication.tiktok_status, "") != "FAILED",
            or_(given_up, unlinked),
        )
    )
    # The condition says that no publish_id is None.
    return [Latecomer(*row) for row in found]  # type: ignore[arg-type]


def asked_in_vain(session: Session, publish_id: str, *, now: datetime) -> None:
    """Remember that TikTok was asked about a publication and refused to say."""
    session.execute(
        update(Publication).where(Publication.publish_id == publish_id).values(tiktok_status_at=now)
    )


def linked_post_ids(session: Session, tiktok_post_ids: Sequence[str]) -> frozenset[str]:
    """Return which of TikTok's post ids belong to a publication already."""
    return frozenset(
        one
        for one in session.scalars(
            select(Publication.tiktok_post_id).where(
                Publication.tiktok_post_id.in_(tiktok_post_ids)
            )
        )
        if one is not None
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


def give_up_unfinished(
    session: Session, post_id: int, *, now: datetime, actor: str, why: str
) -> None:
    """Give up a post's current publication where its last byte was not sent; else do nothing."""
    publication = current(session, post_id)
    if publication is not None and publication.state in BEFORE_LAST_BYTE:
        superseded = PublicationState.SUPERSEDED
        move(session, publication, superseded, now=now, actor=actor, why=why)


def store_upload_url(publication: Publication, cipher: Cipher, url: str) -> None:
    """Keep the upload URL of a publication whose ``publish_id`` is known."""
    publication.upload_url_encrypted = cipher.encrypt(url, bound_to=_upload_url_of(publication))


def upload_url(publication: Publication, cipher: Cipher) -> str:
    """Return the upload URL in the clear; it is a credential, never log it.

    :raises ConfigurationError: the Fernet key is not the one it was stored with, or it was stored
        for another publication
    """
    if publication.upload_url_encrypted is None:
        raise ValueError(f"publication {publication.id} has no upload URL")
    return cipher.decrypt(
        publication.upload_url_encrypted,
        bound_to=_upload_url_of(publication),
        what=f"the upload URL of post {publication.post_id}",
    )


def _upload_url_of(publication: Publication) -> str:
    return f"upload_url {publication.publish_id}"
