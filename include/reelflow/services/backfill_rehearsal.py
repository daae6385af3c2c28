"""The runs of a backfill, rehearsed: each takes its batch as it would, and all of it is undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import String, select, type_coerce
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun
from reelflow.ledger import claims
from reelflow.ledger.models import Post
from reelflow.ledger.rehearsal import rehearsed
from reelflow.services.discover import claim_batch, take_batch
from reelflow.services.settling.stalled import return_stalled
from reelflow.services.workspace import PublishingRules, Workspace

_ACTOR: Final = "plan"  # of what is undone


@dataclass(frozen=True)
class BackfillDay:
    """One data interval in a backfill's range.

    :param run: the run of the interval: the one that there is, or the one that would be made
    :param skipped_because: why Airflow does not run it; None if it does
    """

    run: BackfillRun
    skipped_because: str | None = None


@dataclass(frozen=True)
class Rehearsal:
    """What the runs took, by their ids, and what they made of each post.

    :param batches: the whole batch of each run that takes place
    :param outcome: of each post that it was taken by or kept from: its state then, and why
    :param sent_by: the run that would post a post
    :param claims: who had a post before
    """

    batches: Mapping[str, Sequence[int]]
    outcome: Mapping[int, tuple[str, str]]
    sent_by: Mapping[int, str]
    claims: Mapping[int, str]


def rehearse(
    workspace: Workspace, days: Sequence[BackfillDay], wished: Mapping[str, Sequence[int]]
) -> Rehearsal:
    """Let every run take its batch, and undo it."""
    now, rules = workspace.ledger.now(), workspace.rules
    concerned = {post_id for ids in wished.values() for post_id in ids}
    with workspace.ledger.write() as session:
        before = claims.holders(session, concerned, now=now)
        with rehearsed(session):
            return_stalled(session, now=now, actor=_ACTOR)
            taken = {
                day.run.run_id: _take(session, day.run, rules, now=now)
                for day in days
                if day.skipped_because is None
            }
            concerned.update(post_id for ids in taken.values() for post_id in ids)
            outcome = _outcome(session, concerned)
            holders = claims.holders(session, concerned, now=now)
    sent_by = {
        post_id: run_id
        for run_id, ids in taken.items()
        for post_id in ids
        if holders.get(post_id) == run_id and outcome[post_id][0] == PostState.READY
    }
    return Rehearsal(taken, outcome, sent_by, before)


def _take(
    session: Session, run: BackfillRun, rules: PublishingRules, *, now: datetime
) -> Sequence[int]:
    take_batch(session, run, rules, now=now, actor=_ACTOR)
    return claim_batch(session, run.run_id, rules, now=now)


def _outcome(session: Session, post_ids: set[int]) -> dict[int, tuple[str, str]]:
    """Return state and reason as they are stored: maybe a state that there is not."""
    query = select(Post.id, type_coerce(Post.state, String()), Post.reason)
    found = session.execute(query.where(Post.id.in_(post_ids)))
    return {post_id: (state, reason) for post_id, state, reason in found}
