"""Counts as people and programs read them, and why some are missing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, NoReturn

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.ledger import accounts, damage, photo_images, post_metrics
from reelflow.ledger.metrics_models import PostMetrics
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace


def latest_counts(session: Session, post_id: int) -> dict[str, Any] | None:
    """Return what TikTok told last of a post, JSON-safe; None where it never did."""
    found = post_metrics.latest(session, post_id)
    return None if found is None else _counts(found)


def list_metrics(
    workspace: Workspace, *, account: str | None = None, since: date | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return the counts of the newest posts, newest last, as JSON-safe rows.

    :param since: every day from this one on; None for the last day of each post
    :raises AccountNotFoundError: no account has this name
    :raises ConfigurationError: somebody changed a row by hand; code ``ledger_damaged``
    """
    with workspace.ledger.read() as session:
        account_id = None if account is None else accounts.by_name(session, account).id
        try:
            found = post_metrics.newest(session, account_id=account_id, since=since, limit=limit)
        except damage.UNREADABLE as exc:
            _raise_named(session, exc)
        ids = {one.post_id for one in found}
        names, owners = photo_images.names_of(session, ids), _accounts_of(session, ids)
        return [
            {
                "post_id": one.post_id,
                "account": owners[one.post_id],
                "file_name": names[one.post_id],
                **_counts(one),
            }
            for one in reversed(found)
        ]


def uncollected_accounts(workspace: Workspace) -> list[dict[str, str]]:
    """Return the accounts whose counts a person must make possible, JSON-safe."""
    with workspace.ledger.read() as session:
        return [
            {"account": name, "since": one.since.isoformat(), "code": one.code, "why": one.why}
            for name, one in post_metrics.troubles(session)
        ]


def count_without_id(workspace: Workspace) -> int:
    """Return how many published posts cannot be followed: TikTok never told their videos' ids."""
    since = workspace.ledger.now() - workspace.rules.metrics_for
    with workspace.ledger.read() as session:
        return post_metrics.count_without_id(session, published_after=since)


def _raise_named(session: Session, error: Exception) -> NoReturn:
    """Raise what is wrong with the counts of the first post that has some which cannot be read."""
    for post_id in session.scalars(select(PostMetrics.post_id).distinct()):
        if damage.wrong_columns(session, post_id):
            damage.raise_named(session, post_id, error)
    raise error


def _counts(found: PostMetrics) -> dict[str, Any]:
    return {
        "day": found.day.isoformat(),
        "view_count": found.view_count,
        "like_count": found.like_count,
        "comment_count": found.comment_count,
        "share_count": found.share_count,
        "collected_at": found.collected_at.isoformat(),
    }


def _accounts_of(session: Session, post_ids: Collection[int]) -> dict[int, str]:
    query = select(Post.id, Account.name).join(Account, Account.id == Post.account_id)
    return dict(session.execute(query.where(Post.id.in_(post_ids))).all())
