"""Counts of published posts in the ledger: which are followed, and what TikTok told when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypedDict

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.ledger.metrics_models import MetricsTrouble, PostMetrics
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.upsert import insert_into

_PUBLIC = (PostState.PUBLISHED, PostState.PUBLISHED_NO_LINK)


class Followed(NamedTuple):
    """A published post whose counts TikTok can be asked for."""

    account_id: int
    account: str
    post_id: int
    tiktok_post_id: str


class Counts(TypedDict):
    """What TikTok counted of a post since it was published; None what it did not tell."""

    post_id: int
    view_count: int | None
    like_count: int | None
    comment_count: int | None
    share_count: int | None


def followed(
    session: Session,
    *,
    published_after: datetime,
    uncollected: tuple[date, datetime] | None = None,
) -> Sequence[Followed]:
    """Return the posts whose counts are to be asked for, account by account, oldest first.

    Only columns are read: a row that somebody changed by hand stops no other post.

    :param uncollected: only posts that have no counts of this day, as of this time or later
    """
    query = (
        select(Account.id, Account.name, Post.id, Publication.tiktok_post_id)
        .join(Post, Post.account_id == Account.id)
        .join(Publication, and_(Publication.post_id == Post.id, Publication.is_current))
        .where(_published(published_after), Publication.tiktok_post_id.is_not(None))
        .order_by(Account.id, Post.id)
    )
    if uncollected is not None:
        day, since = uncollected
        of_day = and_(PostMetrics.post_id == Post.id, PostMetrics.day == day)
        collected = and_(of_day, PostMetrics.collected_at >= since)
        query = query.where(~exists().where(collected))
    # The condition says that no tiktok_post_id is None.
    return [Followed(*row) for row in session.execute(query)]  # type: ignore[arg-type]


def count_without_id(session: Session, *, published_after: datetime) -> int:
    """Return how many posts cannot be followed because TikTok never told the id of their video."""
    known = and_(
        Publication.post_id == Post.id,
        Publication.is_current,
        Publication.tiktok_post_id.is_not(None),
    )
    query = select(func.count()).select_from(Post)
    return session.scalar(query.where(_published(published_after), ~exists().where(known))) or 0


def _published(after: datetime) -> ColumnElement[bool]:
    return and_(Post.state.in_(_PUBLIC), Post.state_since > after)


def store(session: Session, counts: Sequence[Counts], *, day: date, now: datetime) -> None:
    """Write what TikTok told on a day, in place of what it told earlier that day."""
    if not counts:
        return
    insert = insert_into(session, PostMetrics).values(
        [{**one, "day": day, "collected_at": now} for one in counts]
    )
    told = ("view_count", "like_count", "comment_count", "share_count", "collected_at")
    session.execute(
        insert.on_conflict_do_update(
            index_elements=[PostMetrics.post_id, PostMetrics.day],
            set_={name: insert.excluded[name] for name in told},
        )
    )


def latest(session: Session, post_id: int) -> PostMetrics | None:
    """Return what TikTok told last of a post, None where it never did."""
    query = select(PostMetrics).where(PostMetrics.post_id == post_id)
    return session.scalar(query.order_by(PostMetrics.day.desc()).limit(1))


def newest(
    session: Session, *, account_id: int | None, since: date | None, limit: int
) -> Sequence[PostMetrics]:
    """Return counts, newest posts first, of one post newest day first.

    :param since: every day from this one on; None for the last day of each post
    """
    query = select(PostMetrics)
    if account_id is not None:
        query = query.join(Post, Post.id == PostMetrics.post_id)
        query = query.where(Post.account_id == account_id)
    query = query.where(_is_last_of_its_post() if since is None else PostMetrics.day >= since)
    query = query.order_by(PostMetrics.post_id.desc(), PostMetrics.day.desc())
    return session.scalars(query.limit(limit)).all()


def _is_last_of_its_post() -> ColumnElement[bool]:
    days = PostMetrics.__table__.alias("days")
    last: Select[date] = select(func.max(days.c.day)).where(days.c.post_id == PostMetrics.post_id)
    return PostMetrics.day == last.correlate(PostMetrics).scalar_subquery()


def troubles(session: Session) -> Sequence[tuple[str, MetricsTrouble]]:
    """Return why metrics of accounts are not collected, each with the name of its account."""
    query = select(Account.name, MetricsTrouble)
    query = query.join(Account, Account.id == MetricsTrouble.account_id).order_by(Account.name)
    return [(name, trouble) for name, trouble in session.execute(query)]


def tell_trouble(
    session: Session, account_id: int, *, code: str, why: str, run: str, now: datetime
) -> MetricsTrouble:
    """Return the trouble of an account, new unless it is of the same code as before.

    :return: it names in ``told_by`` the run that was the first to tell of it
    """
    values = {"code": code, "why": why, "since": now, "told_by": run}
    session.execute(
        insert_into(session, MetricsTrouble)
        .values(account_id=account_id, **values)
        .on_conflict_do_update(
            index_elements=[MetricsTrouble.account_id],
            set_=values,
            where=MetricsTrouble.code != code,
        )
    )
    return session.get_one(MetricsTrouble, account_id, populate_existing=True)


def forget_troubles(
    session: Session, *, of: Collection[int] | None, but_not: Collection[int]
) -> None:
    """Forget the troubles of accounts that have none any more.

    :param of: only these accounts; None for all
    """
    query = delete(MetricsTrouble).where(MetricsTrouble.account_id.not_in(but_not))
    if of is not None:
        query = query.where(MetricsTrouble.account_id.in_(of))
    session.execute(query)
