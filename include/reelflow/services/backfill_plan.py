"""What a backfill would do: the batch of each of its runs, rehearsed, and every post's fate.

The plan takes the batches as the runs do, one after the other, and undoes it: what it names is what
the runs find. It opens no file, so what only the tasks see (a video that breaks a rule, what TikTok
refuses, a spent budget) is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from reelflow.domain.post import DONE, PostState
from reelflow.ledger import posts
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.backfill_rehearsal import BackfillDay, Rehearsal, rehearse
from reelflow.services.intake.waiting import find_wait
from reelflow.services.known_time import wished_for_later
from reelflow.services.report import rows_with_wishes
from reelflow.services.source_check import missing_source
from reelflow.services.workspace import Workspace

#: What is told of a post in a plan, beside its status; named as in lists of posts.
_TOLD: Final = ("id", "file_name", "image_count", "account", "state", "publish_at", "due_at")


class PlanStatus(StrEnum):
    """What a backfill does with a post, or why it leaves it alone."""

    WOULD_POST = "would_post"
    ALREADY_POSTED = "already_posted"
    UNKNOWN = "unknown"
    MISSED = "missed"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    HELD = "held"
    RUNNING = "running"
    SOURCE_GONE = "source_gone"
    #: It is READY, and a normal run takes it at its time, which may be still to come.
    WAITING = "waiting"


_LEFT_ALONE: Final[dict[str, PlanStatus]] = {
    **dict.fromkeys(DONE, PlanStatus.ALREADY_POSTED),
    PostState.HELD: PlanStatus.HELD,
    PostState.READY: PlanStatus.WAITING,
    PostState.UPLOADING: PlanStatus.RUNNING,
    PostState.COMMITTING: PlanStatus.RUNNING,
    PostState.PROCESSING: PlanStatus.RUNNING,
    PostState.REJECTED: PlanStatus.REJECTED,
    PostState.FAILED: PlanStatus.FAILED,
    PostState.CANCELLED: PlanStatus.CANCELLED,
    PostState.MISSED: PlanStatus.MISSED,
    PostState.UNKNOWN: PlanStatus.UNKNOWN,
}
_TAKEABLE: Final[frozenset[str]] = frozenset({PostState.READY, PostState.MISSED})


@dataclass(frozen=True)
class PlannedPost:
    """One post of a plan.

    :param row: what is told of it, with the names of a list of posts
    :param why: what led to the status; None where the status says all
    """

    status: PlanStatus
    why: str | None
    row: Mapping[str, Any]


@dataclass(frozen=True)
class PlannedDay:
    """One interval with its posts: first those that would be posted, in that order."""

    day: BackfillDay
    posts: Sequence[PlannedPost]


def plan_backfill(
    workspace: Workspace, days: Sequence[BackfillDay], *, account: str | None = None
) -> list[PlannedDay]:
    """Say of every post of some intervals what a backfill over them would do with it.

    :param days: in the order in which they run
    :param account: tell of this account's posts only; batches are shared with the others all the
        same
    """
    with workspace.ledger.read() as session:
        wished = {
            day.run.run_id: posts.wished_for(session, start=day.run.start, end=day.run.end)
            for day in days
        }
    rehearsal = rehearse(workspace, days, wished)
    planned = []
    for day, post_ids in zip(days, _shown(days, wished, rehearsal), strict=True):
        with workspace.ledger.read() as session:
            rows = {row["id"]: row for row in rows_with_wishes(session, post_ids)}
        told = [
            _planned(workspace, day, rows[post_id], rehearsal)
            for post_id in post_ids
            if post_id in rows and account in (None, rows[post_id]["account"])
        ]
        told.sort(key=lambda post: post.status is not PlanStatus.WOULD_POST)
        planned.append(PlannedDay(day, told))
    return planned


def _shown(
    days: Sequence[BackfillDay], wished: Mapping[str, Sequence[int]], rehearsal: Rehearsal
) -> Iterator[list[int]]:
    """Give each day's posts, every post once: where it would be posted, or where it was wished."""
    at_home = {post_id for ids in wished.values() for post_id in ids}
    told: set[int] = set()
    for day in days:
        run_id = day.run.run_id
        batch = rehearsal.batches.get(run_id, ())
        sent = [post_id for post_id in batch if rehearsal.sent_by.get(post_id) == run_id]
        guests = [post_id for post_id in batch if post_id not in at_home]
        others = [
            post_id
            for post_id in (*wished[run_id], *guests)
            if post_id not in rehearsal.sent_by and post_id not in told
        ]
        told.update(others)
        yield [*sent, *others]


def _planned(
    workspace: Workspace, day: BackfillDay, row: Mapping[str, Any], rehearsal: Rehearsal
) -> PlannedPost:
    told = {name: row[name] for name in _TOLD}
    if row["reason_code"] == LEDGER_DAMAGED:
        return PlannedPost(PlanStatus.HELD, row["reason"], told)
    if row["id"] not in rehearsal.sent_by:
        return PlannedPost(*_left_alone(workspace, day, row, rehearsal), told)
    with workspace.ledger.read() as session:
        post = posts.get(session, row["id"])
        wait, later = find_wait(post), wished_for_later(post, now=workspace.ledger.now())
    if wait is not None:
        return PlannedPost(PlanStatus.HELD, wait.why, told)
    if later is not None:
        return PlannedPost(PlanStatus.WAITING, later, told)
    gone = missing_source(workspace, row["id"])
    if gone is not None:
        return PlannedPost(PlanStatus.SOURCE_GONE, gone, told)
    return PlannedPost(PlanStatus.WOULD_POST, None, told)


def _left_alone(
    workspace: Workspace, day: BackfillDay, row: Mapping[str, Any], rehearsal: Rehearsal
) -> tuple[PlanStatus, str | None]:
    """Say why a post stays as it is, or becomes what the run would make of it unsent."""
    state, reason = rehearsal.outcome.get(row["id"], (row["state"], row["reason"]))
    holder = rehearsal.claims.get(row["id"])
    if state not in _TAKEABLE:
        return _LEFT_ALONE[state], reason
    if holder is not None and holder != day.run.run_id:
        return PlanStatus.RUNNING, f"the run {holder} has it"
    if day.skipped_because is not None:
        return _LEFT_ALONE[state], f"this day is not run: {day.skipped_because}"
    if row["id"] in rehearsal.batches[day.run.run_id]:
        return _LEFT_ALONE[state], reason
    return _LEFT_ALONE[state], (
        f"no room in the run's batch of {workspace.rules.batch_size}: clear the run once it has "
        "ended, and it goes on with the rest"
    )
