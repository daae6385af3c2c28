"""Which posts TikTok is still to say a word about: their state, their link, or both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, func, select, true
from sqlalchemy.orm import Session

from reelflow.domain.post import UNSETTLED, PostKind, PostState, PrivacyLevel
from reelflow.ledger import claims, damage, posts
from reelflow.ledger.models import Account, Post, Publication


class Unsettled(NamedTuple):
    """A post that TikTok's word moves on."""

    post_id: int
    account_id: int
    state: PostState


def unheld(
    session: Session, *, now: datetime, run_id: str | None = None, despite_claims: bool = False
) -> Sequence[Unsettled]:
    """Return the posts that TikTok's word moves on, and that nobody holds.

    Nobody is no run, as far as it goes on, and no upload.

    :param run_id: the run that asks, when none of its other tasks works on a post any more
    :param despite_claims: also those that a run claimed: the lease alone protects an upload
    """
    found = session.execute(
        select(Post.id, Post.account_id, Post.state).where(
            Post.state.in_(UNSETTLED),
            true() if despite_claims else claims.free_for(run_id, now=now),
            posts.unleased(now),
        )
    )
    return [Unsettled(*row) for row in found]


def leased(session: Session, *, now: datetime) -> Sequence[int]:
    """Return the ids of posts that :func:`unheld` leaves out because an upload holds them."""
    return session.scalars(
        select(Post.id).where(Post.state.in_(UNSETTLED), Post.lease_until > now).order_by(Post.id)
    ).all()


def sought_videos(
    session: Session, post_ids: Collection[int], *, settled_after: datetime
) -> Sequence[Post]:
    """Return those posts that may be a public video whose id is not known, account by account.

    TikTok lists no photos, and nothing at all of a revoked account. One that cannot be read is
    passed over.
    """
    query = (
        select(Post)
        .join(Account, Account.id == Post.account_id)
        .where(
            Post.id.in_(post_ids),
            Post.state.in_((PostState.PUBLISHED_NO_LINK, PostState.UNKNOWN)),
            Post.state_since > settled_after,
            Post.kind == PostKind.VIDEO,
            Post.privacy_level == PrivacyLevel.PUBLIC_TO_EVERYONE,
            Account.revoked.is_(False),
        )
        .order_by(Post.account_id, Post.id)
    )
    return _readable(session, query)


def with_unlinked_publication(
    session: Session, *, account_id: int, begun_after: datetime
) -> Sequence[Post]:
    """Return an account's posts of which TikTok may show a video that the ledger cannot name.

    :raises ConfigurationError: one of them cannot be read; code ``ledger_damaged``
    """
    begun = select(Publication.post_id).where(
        Publication.created_at > begun_after,
        # Not by its index: almost everything that ever was has no id.
        func.coalesce(Publication.tiktok_post_id, "") == "",
        func.coalesce(Publication.tiktok_status, "") != "FAILED",
    )
    return posts.read_all(
        session,
        select(Post)
        .where(Post.account_id == account_id, Post.kind == PostKind.VIDEO, Post.id.in_(begun))
        .order_by(Post.id),
    )


def _readable(session: Session, query: Select[Post]) -> Sequence[Post]:
    """Return posts without those that cannot be read."""
    try:
        return session.scalars(query).all()
    except damage.UNREADABLE:
        ids = session.scalars(query.with_only_columns(Post.id)).all()
    found = []
    for post_id in ids:
        with damage.passing_over(session, post_id):
            found.append(posts.get(session, post_id))
    return found
