"""Posts as people and programs read them: a row each for lists, the whole story for one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.ledger import (
    audit,
    damage,
    photo_images,
    posts,
    publications,
    verdicts,
    webhook_events,
)
from reelflow.ledger.models import Account, Media, Post, Publication
from reelflow.services.accounts.revocation import held_because
from reelflow.services.calls import breaker
from reelflow.services.post_metrics.shown import latest_counts
from reelflow.services.post_rows import (
    damaged_row,
    image_row,
    iso,
    post_row,
    publication_row,
    verdict_row,
    webhook_row,
    wishes_of,
)
from reelflow.services.workspace import Workspace

_RowOf: TypeAlias = Callable[[Post, Publication | None, Sequence[Media]], dict[str, Any]]

#: States in which an init is still to come, which the breaker may keep from being made.
_TO_BE_BEGUN: Final = frozenset({PostState.READY, PostState.UPLOADING})


def list_posts(
    workspace: Workspace,
    *,
    states: Sequence[PostState] = (),
    account: str | None = None,
    post_ids: Collection[int] | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest posts, newest last, as JSON-safe rows.

    One that somebody changed by hand is among them, with what is wrong as its reason.

    :param post_ids: only these posts
    """
    query = _posts()
    if post_ids is not None:
        query = query.where(Post.id.in_(post_ids))
    if states:
        query = query.where(Post.state.in_(states))
    if account is not None:
        query = query.join(Account, Account.id == Post.account_id).where(Account.name == account)
    query = query.order_by(Post.id.desc()).limit(limit)
    with workspace.ledger.read() as session:
        return _readable_rows(session, query, post_row)[::-1]


def rows_with_wishes(session: Session, post_ids: Collection[int]) -> list[dict[str, Any]]:
    """Return posts as JSON-safe rows with what was wished for them, newest first."""
    query = _posts().where(Post.id.in_(post_ids)).order_by(Post.id.desc())
    return _readable_rows(session, query, _row_with_wishes)


def _posts() -> Select[Post, Publication]:
    return select(Post, Publication).outerjoin(
        Publication, (Publication.post_id == Post.id) & Publication.is_current
    )


def _row_with_wishes(
    post: Post, publication: Publication | None, images: Sequence[Media]
) -> dict[str, Any]:
    return {**post_row(post, publication, images), **wishes_of(post)}


def _readable_rows(
    session: Session, query: Select[Post, Publication], row_of: _RowOf
) -> list[dict[str, Any]]:
    """Return rows in the order of a query, also of posts that cannot be read."""
    try:
        return _rows(session, query, row_of)
    except damage.UNREADABLE:
        ids = session.scalars(query.with_only_columns(Post.id)).all()
        return [_row_of(session, query, post_id, row_of) for post_id in ids]


def _rows(
    session: Session, query: Select[Post, Publication], row_of: _RowOf
) -> list[dict[str, Any]]:
    found = session.execute(query).all()
    images = photo_images.of_posts(session, [post for post, _ in found])
    return [row_of(post, publication, images.get(post.id, [])) for post, publication in found]


def _row_of(
    session: Session, query: Select[Post, Publication], post_id: int, row_of: _RowOf
) -> dict[str, Any]:
    """Return a post's row, or of one that somebody changed by hand what is wrong with it."""
    try:
        (row,) = _rows(session, query.where(Post.id == post_id), row_of)
    except damage.UNREADABLE:
        wrong = damage.wrong_columns(session, post_id)
        if not wrong:
            raise
        return damaged_row(damage.remains_of(session, post_id), why="; ".join(wrong))
    return row


def show_post(workspace: Workspace, post_id: int) -> dict[str, Any]:
    """Return one post with its publications, what TikTok said of it, and every step it made.

    :raises PostNotFoundError: no post has this id
    :raises ConfigurationError: somebody changed its rows by hand; code ``ledger_damaged``
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        try:
            return _whole(session, post_id, now=now)
        except damage.UNREADABLE as exc:
            damage.raise_named(session, post_id, exc)


def _whole(session: Session, post_id: int, *, now: datetime) -> dict[str, Any]:
    post = posts.get(session, post_id)
    history = publications.of_post(session, post_id)
    current = next((item for item in history if item.is_current), None)
    images = photo_images.of_posts(session, [post]).get(post_id, [])
    return {
        **post_row(post, current, images),
        **_around(session, post, now=now),
        "images": [image_row(image) for image in images],
        **wishes_of(post),
        "metadata": post.media.facts,
        "violations": post.media.violations,
        "candidates": post.media.candidates or [],
        "verdicts": [
            verdict_row(one)
            for one in verdicts.of_media(session, [one.id for one in images or [post.media]])
        ],
        "metrics": latest_counts(session, post_id),
        "publications": [publication_row(post, item) for item in history],
        "webhooks": [
            webhook_row(event)
            for event in webhook_events.about(
                session, [item.publish_id for item in history if item.publish_id]
            )
        ],
        "story": [
            {
                "at": iso(entry.at),
                "actor": entry.actor,
                "from": entry.from_state,
                "to": entry.to_state,
                "why": entry.why,
            }
            for entry in audit.story(session, post_id)
        ],
    }


def _around(session: Session, post: Post, *, now: datetime) -> dict[str, Any]:
    """Give who works on a post, and what keeps it from going on."""
    is_claimed = post.claimed_until is not None and post.claimed_until > now
    is_leased = posts.is_leased(post, now=now)
    outage = breaker.state(session, now=now) if post.state in _TO_BE_BEGUN else None
    return {
        "state_since": iso(post.state_since),
        "claimed_by": post.claimed_by if is_claimed else None,
        "claimed_until": iso(post.claimed_until) if is_claimed else None,
        "uploaded_by": post.lease_owner if is_leased else None,
        "lease_until": iso(post.lease_until) if is_leased else None,
        "account_revoked": held_because(post.account) if post.account.revoked else None,
        "breaker": outage and {"why": outage.why, "probe_at": iso(outage.probe_at)},
        "cancel_requested_at": iso(post.cancel_requested_at),
        "announced_at": iso(post.announced_at),
        "source_settled_at": iso(post.source_settled_at),
    }
