"""Posts that somebody must hear of: which they are, and that it was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import audit, batches, chores, photo_images, posts
from reelflow.ledger.models import Post
from reelflow.services.accounts.revocation import reason_and_fix
from reelflow.services.settling.for_a_person import is_stuck
from reelflow.services.summarize import post_line
from reelflow.services.workspace import Workspace

#: The row of a post's story that keeps it from being told again, until it is in another state.
ALERTED: Final = "an alert was sent"
#: What happened longer ago is no news, as when alerts are set up for the first time.
LOOK_BACK: Final = timedelta(days=7)
#: So many posts get a message each; the rest, as after an outage, one for all.
MESSAGES_MAX: Final = 20

_EVENTS: Final = {
    PostState.FAILED: "post.failed",
    PostState.REJECTED: "post.rejected",
    PostState.UNKNOWN: "post.unknown",
    PostState.MISSED: "post.missed",
    **dict.fromkeys(PAST_LAST_BYTE, "post.stuck"),
}
_MORE: Final = "posts.more"
_CHORE: Final = "alerts"
#: Nobody else sends meanwhile; longer than one process may take.
_TURN: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Alert:
    """One message: about a post, or about all those beyond the first ones.

    :param event: ``post.failed``, ``post.rejected``, ``post.unknown``, ``post.missed``,
        ``post.stuck``, ``post.late``, or ``posts.more``
    :param key: the same whenever the same is told
    :param text: one line: where it stands and what to do
    :param post_ids: whom it is about
    :param run_id: of the run that took the post last
    :param told_as: the row of a post's story once it is sent
    """

    event: str
    key: str
    text: str
    post_ids: tuple[int, ...]
    account: str | None = None
    file_name: str | None = None
    state: str | None = None
    reason: str | None = None
    reason_code: str | None = None
    fix: str | None = None
    since: datetime | None = None
    run_id: str | None = None
    told_as: str = ALERTED

    @property
    def post_id(self) -> int | None:
        """The post, where it is about one."""
        return None if self.event == _MORE else self.post_ids[0]

    @property
    def title(self) -> str:
        """A few words, for a subject line."""
        name = self.file_name or f"{len(self.post_ids)} posts"
        return f"Reelflow: {name} {self.state or 'need a person'}"


def untold(workspace: Workspace) -> list[Alert]:
    """Return what is to be told: posts that failed, are missed, unknown or stuck, oldest first."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        found = session.execute(_untold(now)).all()
        alerts = [_alert(session, post_id) for post_id, _ in found[:MESSAGES_MAX]]
        if len(found) > MESSAGES_MAX:
            alerts.append(more([(post_id, state) for post_id, state in found[MESSAGES_MAX:]]))
    return alerts


def mark_told(workspace: Workspace, alert: Alert, *, actor: str) -> None:
    """Remember that an alert was sent."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        for post_id in alert.post_ids:
            audit.record(session, post_id=post_id, at=now, actor=actor, why=alert.told_as)


def take_turn(workspace: Workspace, *, owner: str) -> bool:
    """Say whether this process is to send alerts, as no other does until :func:`end_turn`."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        return chores.take(session, _CHORE, owner=owner, now=now, until=now + _TURN)


def end_turn(workspace: Workspace, *, owner: str) -> None:
    """Let others send alerts."""
    with workspace.ledger.write() as session:
        chores.give_back(session, _CHORE, owner=owner, now=workspace.ledger.now())


def _untold(now: datetime) -> Select[int, PostState]:
    ended = (PostState.REJECTED, PostState.UNKNOWN, PostState.MISSED)
    failed = and_(Post.state == PostState.FAILED, Post.cancel_requested_at.is_(None))
    return (
        select(Post.id, Post.state)
        .where(
            or_(Post.state.in_(ended), failed, is_stuck(now)), Post.state_since >= now - LOOK_BACK
        )
        .where(~audit.was_told(ALERTED, since=Post.state_since))
        .order_by(Post.state_since, Post.id)
    )


def _alert(session: Session, post_id: int) -> Alert:
    try:
        post = posts.get(session, post_id)
    except ReelflowError as exc:  # somebody changed its rows by hand
        return Alert("post.failed", f"{post_id}:damaged", str(exc), (post_id,))
    reason, fix = reason_and_fix(post)
    return Alert(
        event=_EVENTS[post.state],
        key=f"{post_id}:{post.state}:{post.state_since.isoformat()}",
        text=post_line(post),
        post_ids=(post_id,),
        account=post.account.name,
        file_name=photo_images.name_of(post),
        state=str(post.state),
        reason=reason,
        reason_code=post.reason_code,
        fix=fix,
        since=post.state_since,
        run_id=batches.latest_runs(session, [post_id]).get(post_id),
    )


def more(
    found: Sequence[tuple[int, PostState]], *, of: str = "posts", told_as: str = ALERTED
) -> Alert:
    """Return one message about all those that get none of their own.

    :param found: each with its state
    :param of: what they are
    """
    counts = Counter(str(state) for _, state in found)
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return Alert(
        event=_MORE,
        key=f"{of}:{found[0][0]}-{found[-1][0]}:{len(found)}",
        text=f"and {len(found)} more {of}: {told}. `reelflow posts list --state STATE` names them",
        post_ids=tuple(post_id for post_id, _ in found),
        told_as=told_as,
    )
