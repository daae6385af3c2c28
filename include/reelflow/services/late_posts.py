"""Posts that are late: not on their way although their time has passed, and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import ReelflowError
from reelflow.ledger import audit, batches, photo_images, posts
from reelflow.ledger.fair_batch import Share
from reelflow.ledger.models import Post
from reelflow.services.alerting import LOOK_BACK, MESSAGES_MAX, Alert, more
from reelflow.services.backlog import share_of_backlog
from reelflow.services.calls import breaker
from reelflow.services.calls.breaker import BreakerState
from reelflow.services.workspace import Workspace

#: Rows of a post's story: it is told of once by each.
TOLD_BY_RUN: Final = "a run told a person that it is late"
TOLD_BY_ALERT: Final = "an alert was sent that it is late"

#: What is sent is TikTok's, and told of as stuck when that takes too long.
_NOT_SENT: Final = (PostState.READY, PostState.UPLOADING, PostState.HELD)
#: Most posts that are told of at once: after an outage there may be thousands.
_MOST_TOLD: Final = 50
#: When a post should have gone out: each time that this is said anew, it may be late anew.
_WISHED_AT: Final = func.coalesce(Post.publish_at, Post.created_at)


@dataclass(frozen=True)
class LatePost:
    """A post that is late.

    :param line: which post, since when, and what it waits for
    :param is_stalled: nothing that is known of holds it up, so it needs a person: it is neither
        HELD nor rescheduled nor being uploaded
    :param why: what it waits for
    :param since: when it should have gone out
    """

    post_id: int
    line: str
    is_stalled: bool
    account: str | None = None
    file_name: str | None = None
    state: str | None = None
    why: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Late:
    """The late posts of a ledger.

    :param new: those that were not told of before, the oldest of them where there are many
    :param total: how many there are with those that were
    """

    new: list[LatePost]
    total: int


def newly_late(workspace: Workspace, *, late_after: timedelta, run: str, actor: str) -> Late:
    """Return the posts that are late, and write down that those that are new were told of.

    A post is new to one run, however often that is repeated: it may have died before anybody heard.

    :param run: what the actors of this run, and of no other, begin with
    :param actor: who tells, one of them
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        is_late = _is_late(now, late_after)
        total = count_late(session, now=now, late_after=late_after)
        told = audit.was_told(TOLD_BY_RUN, since=_WISHED_AT, but_by=run)
        new = session.scalars(_oldest(is_late).where(~told).limit(_MOST_TOLD)).all()
        for post_id in new:
            audit.record(session, post_id=post_id, at=now, actor=actor, why=TOLD_BY_RUN)
        return Late(_told(session, new, now=now, batch_size=workspace.rules.batch_size), total)


def late_posts(
    session: Session, *, now: datetime, late_after: timedelta, batch_size: int
) -> list[LatePost]:
    """Return the posts that are late, oldest first; nothing is written down by looking.

    :param batch_size: most posts of one run
    """
    oldest = _oldest(_is_late(now, late_after)).limit(_MOST_TOLD)
    return _told(session, session.scalars(oldest).all(), now=now, batch_size=batch_size)


def untold_late(workspace: Workspace, *, late_after: timedelta) -> list[Alert]:
    """Return what is to be told of late posts, as :func:`reelflow.services.alerting.untold` does.

    A post is told of once for each time that it was wished for.
    """
    now = workspace.ledger.now()
    untold = (
        _oldest(_is_late(now, late_after))
        .add_columns(Post.state)
        .where(~audit.was_told(TOLD_BY_ALERT, since=_WISHED_AT), now - LOOK_BACK <= _WISHED_AT)
    )
    with workspace.ledger.read() as session:
        found = [(post_id, state) for post_id, state in session.execute(untold)]
        first = [post_id for post_id, _ in found[:MESSAGES_MAX]]
        runs = batches.latest_runs(session, first)
        told = _told(session, first, now=now, batch_size=workspace.rules.batch_size)
        alerts = [_alert(late, runs.get(late.post_id)) for late in told]
    if found[MESSAGES_MAX:]:
        alerts.append(more(found[MESSAGES_MAX:], of="late posts", told_as=TOLD_BY_ALERT))
    return alerts


def count_late(session: Session, *, now: datetime, late_after: timedelta) -> int:
    """Return how many posts are late."""
    late = select(func.count()).select_from(Post).where(_is_late(now, late_after))
    return session.scalar(late) or 0


def _is_late(now: datetime, late_after: timedelta) -> ColumnElement[bool]:
    """Return the condition of being late, by the wished time.

    What a person brought back is due again from then on; what waits for its next try is not due,
    and late all the same.
    """
    limit = now - late_after
    wished_long_ago = or_(
        Post.publish_at <= limit, and_(Post.publish_at.is_(None), Post.created_at <= limit)
    )
    return and_(
        Post.state.in_(_NOT_SENT), wished_long_ago, or_(Post.due_at <= limit, Post.due_at > now)
    )


def _oldest(is_late: ColumnElement[bool]) -> Select[int]:
    return select(Post.id).where(is_late).order_by(_WISHED_AT, Post.id)


def _told(
    session: Session, post_ids: Sequence[int], *, now: datetime, batch_size: int
) -> list[LatePost]:
    outage = breaker.state(session, now=now)
    share = share_of_backlog(session, batch_size=batch_size, now=now) or Share()
    return [_late_post(session, post_id, outage, share, now=now) for post_id in post_ids]


def _late_post(
    session: Session,
    post_id: int,
    outage: BreakerState | None,
    share: Share,
    *,
    now: datetime,
) -> LatePost:
    try:
        post = posts.get(session, post_id)
    except ReelflowError as exc:
        return LatePost(post_id, str(exc), is_stalled=True)
    waits_for = _waits_for(post, outage, now=now) or _goes_after(post, share, now=now)
    wished_at = post.publish_at or post.created_at
    who = f"post {post.id} ({photo_images.name_of(post)}, {post.account.name})"
    why = waits_for or _nobody(post, now=now)
    return LatePost(
        post_id,
        f"{who} is late: wished for {wished_at:%Y-%m-%d %H:%M} UTC and {post.state}. {why}",
        is_stalled=waits_for is None,
        account=post.account.name,
        file_name=photo_images.name_of(post),
        state=str(post.state),
        why=why,
        since=wished_at,
    )


def _alert(late: LatePost, run_id: str | None) -> Alert:
    return Alert(
        event="post.late",
        key=f"{late.post_id}:late:{late.since and late.since.isoformat()}",
        text=late.line,
        post_ids=(late.post_id,),
        account=late.account,
        file_name=late.file_name,
        state=late.state,
        reason=late.why,
        since=late.since,
        run_id=run_id,
        told_as=TOLD_BY_ALERT,
    )


def _waits_for(post: Post, outage: BreakerState | None, *, now: datetime) -> str | None:
    """Return what is known to hold a post up, or None."""
    if post.state is PostState.HELD:
        fix = f" To fix: {post.fix}" if post.fix else ""
        return f"It waits for a person: {as_sentence(post.reason)}{fix}"
    if posts.is_leased(post, now=now):
        return f"It is being uploaded by {post.lease_owner} since {post.state_since:%H:%M} UTC"
    if post.due_at > now:
        why = post.rescheduled_because or post.reason
        return f"It is tried again at {post.due_at:%Y-%m-%d %H:%M} UTC: {why}"
    if outage is not None:
        return (
            f"Nothing new is begun at TikTok before {outage.probe_at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{outage.why}"
        )
    return None


def _goes_after(post: Post, share: Share, *, now: datetime) -> str | None:
    """Return what goes before a post that no run has taken, or None."""
    is_free = post.state is PostState.READY and not _is_claimed(post, now=now)
    if not is_free or share.has_room_for(post.account.name):
        return None
    return (
        "Runs have plenty of posts in hand, which go first: once most of them are being uploaded, "
        "it is taken"
    )


def _is_claimed(post: Post, *, now: datetime) -> bool:
    return post.claimed_until is not None and post.claimed_until > now


def _nobody(post: Post, *, now: datetime) -> str:
    if _is_claimed(post, now=now):
        return (
            f"The run {post.claimed_by} has taken it, and no worker has begun it yet: look at its "
            "tasks in Airflow. Are workers running, do their pools exist and have free slots?"
        )
    return (
        "No run has taken it: is publish_to_tiktok unpaused, does it parse, do scheduler and "
        "triggerer run? `reelflow doctor` looks"
    )
