"""That people are told of late posts: of each once, and again when it waits for a person anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, case

from reelflow.domain.post import PostState
from reelflow.ledger import audit, batches
from reelflow.services.alerting import LOOK_BACK, MESSAGES_MAX, Alert, more
from reelflow.services.late_posts import MOST_TOLD, STALLED, LatePost, Look, count_late
from reelflow.services.workspace import Workspace

#: Rows of a post's story: it is told of once by each, while it waits for what passes by itself.
TOLD_BY_RUN: Final = "a run told a person that it is late"
TOLD_BY_ALERT: Final = "an alert was sent that it is late"
#: How such a row ends where nothing that is known of holds the post up.
AND_STALLED: Final = " and stalled"


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
        look = Look.begin(
            session, now=now, late_after=late_after, batch_size=workspace.rules.batch_size
        )
        untold = look.late().where(~_was_told(look, TOLD_BY_RUN, but_by=run)).limit(MOST_TOLD)
        found = session.execute(untold).all()
        new = [look.told(session, post_id, cause) for post_id, cause, _ in found]
        for late in new:
            why = _row(TOLD_BY_RUN, is_stalled=late.is_stalled)
            audit.record(session, post_id=late.post_id, at=now, actor=actor, why=why)
        return Late(new, count_late(session, now=now, late_after=late_after))


def untold_late(workspace: Workspace, *, late_after: timedelta) -> list[Alert]:
    """Return what is to be told of late posts, as ``alerting.untold`` does of others."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        look = Look.begin(
            session, now=now, late_after=late_after, batch_size=workspace.rules.batch_size
        )
        untold = look.late().where(
            ~_was_told(look, TOLD_BY_ALERT), now - LOOK_BACK <= look.cause_since
        )
        found = session.execute(untold).all()
        first, rest = found[:MESSAGES_MAX], found[MESSAGES_MAX:]
        runs = batches.latest_runs(session, [post_id for post_id, _, _ in first])
        told = [look.told(session, post_id, cause) for post_id, cause, _ in first]
    stalled = [(post_id, state) for post_id, cause, state in rest if cause in STALLED]
    waiting = [(post_id, state) for post_id, cause, state in rest if cause not in STALLED]
    return [
        *(_alert(late, runs.get(late.post_id)) for late in told),
        *_more(stalled, of="late posts that nothing known holds up", is_stalled=True),
        *_more(waiting, of="late posts", is_stalled=False),
    ]


def _was_told(look: Look, row: str, *, but_by: str | None = None) -> ColumnElement[bool]:
    """Return the condition that somebody was told of a post what is to be told of it now.

    What waits for something was told of by whatever row. What stalls is news to who was told of
    a wait.
    """
    stalled = _row(row, is_stalled=True)
    since = look.cause_since
    return case(
        (look.is_stalled, audit.was_told(stalled, since=since, but_by=but_by)),
        else_=audit.was_told(row, stalled, since=since, but_by=but_by),
    )


def _row(row: str, *, is_stalled: bool) -> str:
    return row + AND_STALLED * is_stalled


def _alert(late: LatePost, run_id: str | None) -> Alert:
    kind = "stalled" if late.is_stalled else "late"
    return Alert(
        event="post.late",
        key=f"{late.post_id}:{kind}:{late.cause_since and late.cause_since.isoformat()}",
        text=late.line,
        post_ids=(late.post_id,),
        account=late.account,
        file_name=late.file_name,
        state=late.state,
        reason=late.why,
        since=late.since,
        run_id=run_id,
        told_as=_row(TOLD_BY_ALERT, is_stalled=late.is_stalled),
    )


def _more(found: list[tuple[int, PostState]], *, of: str, is_stalled: bool) -> list[Alert]:
    told_as = _row(TOLD_BY_ALERT, is_stalled=is_stalled)
    return [more(found, of=of, told_as=told_as)] if found else []
