"""Posts that are late: not on their way although their time has passed, and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, true
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import ReelflowError
from reelflow.ledger import photo_images, posts
from reelflow.ledger.claims import unclaimed
from reelflow.ledger.models import Account, Post
from reelflow.services.backlog import share_of_backlog
from reelflow.services.calls import breaker
from reelflow.services.calls.breaker import BreakerState

#: Most posts that are told of at once: after an outage there may be thousands.
MOST_TOLD: Final = 50

#: What is sent is TikTok's, and told of as stuck when that takes too long.
_NOT_SENT: Final = (PostState.READY, PostState.UPLOADING, PostState.HELD)
#: When a post should have gone out: each time that this is said anew, it may be late anew.
_WISHED_AT: Final = func.coalesce(Post.publish_at, Post.created_at)


class Cause(StrEnum):
    """What a late post waits for."""

    PERSON = "person"
    UPLOAD = "upload"
    NEXT_TRY = "next_try"
    OUTAGE = "outage"
    WORKER = "worker"
    OTHERS = "others"
    RUN = "run"


#: Nothing that is known of holds these posts up.
STALLED: Final = frozenset({Cause.WORKER, Cause.RUN})


@dataclass(frozen=True)
class LatePost:
    """A post that is late.

    :param line: which post, since when, and what it waits for
    :param is_stalled: nothing that is known of holds it up, so it needs a person: it is neither
        HELD nor rescheduled nor being uploaded
    :param why: what it waits for
    :param since: when it should have gone out
    :param cause_since: when it began to wait for that, as far as a person is concerned
    """

    post_id: int
    line: str
    is_stalled: bool
    account: str | None = None
    file_name: str | None = None
    state: str | None = None
    why: str | None = None
    since: datetime | None = None
    cause_since: datetime | None = None


@dataclass(frozen=True)
class Look:
    """One look at the late posts of a ledger: what is the same for all of them.

    :param outage: why nothing new is begun at TikTok, None while it is
    :param full: accounts whose next posts go after those that runs have in hand
    """

    now: datetime
    late_after: timedelta
    outage: BreakerState | None
    full: Sequence[int]

    @classmethod
    def begin(
        cls, session: Session, *, now: datetime, late_after: timedelta, batch_size: int
    ) -> Look:
        """Begin to look.

        :param batch_size: most posts of one run
        """
        share = share_of_backlog(session, batch_size=batch_size, now=now)
        accounts = session.execute(select(Account.id, Account.name)) if share else ()
        full = [one.id for one in accounts if share and not share.has_room_for(one.name)]
        return cls(now, late_after, breaker.state(session, now=now), full)

    def late(self) -> Select[int, str, PostState]:
        """Select the late posts, oldest first: id, cause and state of each."""
        late = select(Post.id, self.cause, Post.state).where(_is_late(self.now, self.late_after))
        return late.order_by(_WISHED_AT, Post.id)

    @property
    def cause(self) -> ColumnElement[str]:
        """What a late post waits for: the first that is true of it."""
        return case(
            (Post.state == PostState.HELD, Cause.PERSON.value),
            (~posts.unleased(self.now), Cause.UPLOAD.value),
            (Post.due_at > self.now, Cause.NEXT_TRY.value),
            (false() if self.outage is None else true(), Cause.OUTAGE.value),
            (~unclaimed(self.now), Cause.WORKER.value),
            (
                and_(Post.state == PostState.READY, Post.account_id.in_(self.full)),
                Cause.OTHERS.value,
            ),
            else_=Cause.RUN.value,
        )

    @property
    def cause_since(self) -> ColumnElement[datetime]:
        """When that began, as far as a person is concerned.

        Whatever passes by itself is one wait, from when the post should have gone out.
        """
        return case(
            (self.cause == Cause.PERSON.value, Post.state_since),
            (self.is_stalled, Post.due_at),
            else_=_WISHED_AT,
        )

    @property
    def is_stalled(self) -> ColumnElement[bool]:
        """The condition that nothing which is known of holds a late post up."""
        return self.cause.in_([cause.value for cause in STALLED])

    def told(self, session: Session, post_id: int, cause: str) -> LatePost:
        """Return a late post, or why it cannot be read.

        :param cause: as selected
        """
        try:
            post = posts.get(session, post_id)
        except ReelflowError as exc:
            return LatePost(post_id, str(exc), is_stalled=True)
        return _late_post(post, Cause(cause), self.outage)


def late_posts(
    session: Session, *, now: datetime, late_after: timedelta, batch_size: int
) -> list[LatePost]:
    """Return the posts that are late, oldest first; nothing is written down by looking.

    :param batch_size: most posts of one run
    """
    look = Look.begin(session, now=now, late_after=late_after, batch_size=batch_size)
    found = session.execute(look.late().limit(MOST_TOLD)).all()
    return [look.told(session, post_id, cause) for post_id, cause, _ in found]


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


def _late_post(post: Post, cause: Cause, outage: BreakerState | None) -> LatePost:
    name = photo_images.name_of(post)
    wished_at = post.publish_at or post.created_at
    since = {Cause.PERSON: post.state_since, **dict.fromkeys(STALLED, post.due_at)}
    why = _why(post, cause, outage)
    return LatePost(
        post.id,
        f"post {post.id} ({name}, {post.account.name}) is late: "
        f"wished for {wished_at:%Y-%m-%d %H:%M} UTC and {post.state}. {why}",
        is_stalled=cause in STALLED,
        account=post.account.name,
        file_name=name,
        state=str(post.state),
        why=why,
        since=wished_at,
        cause_since=since.get(cause, wished_at),
    )


def _why(post: Post, cause: Cause, outage: BreakerState | None) -> str:
    """Say what a post waits for."""
    match cause:
        case Cause.PERSON:
            fix = f" To fix: {post.fix}" if post.fix else ""
            return f"It waits for a person: {as_sentence(post.reason)}{fix}"
        case Cause.UPLOAD:
            return f"It is being uploaded by {post.lease_owner} since {post.state_since:%H:%M} UTC"
        case Cause.NEXT_TRY:
            why = post.rescheduled_because or post.reason
            return f"It is tried again at {post.due_at:%Y-%m-%d %H:%M} UTC: {why}"
        case Cause.OUTAGE:
            assert outage is not None
            return (
                f"Nothing new is begun at TikTok before {outage.probe_at:%Y-%m-%d %H:%M:%S} UTC: "
                f"{outage.why}"
            )
        case Cause.WORKER:
            return (
                f"The run {post.claimed_by} has taken it, and no worker has begun it yet: look at "
                "its tasks in Airflow. Are workers running, do their pools exist and have free "
                "slots?"
            )
        case Cause.OTHERS:
            return (
                "Runs have plenty of posts in hand, which go first: once most of them are being "
                "uploaded, it is taken"
            )
        case Cause.RUN:
            return (
                "No run has taken it: is publish_to_tiktok unpaused, does it parse, do scheduler "
                "and triggerer run? `reelflow doctor` looks"
            )
