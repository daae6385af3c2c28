"""Finding work: takes a run's batch of due posts and of files new in the inbox."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, PostState
from reelflow.domain.schedule import BackfillRun, NormalRun, Run
from reelflow.ledger import batches, claims, damage, photo_images, posts
from reelflow.ledger.models import Post
from reelflow.services.backlog import share_of_backlog
from reelflow.services.calls.breaker import outage
from reelflow.services.intake.duplicates import cancel_duplicate
from reelflow.services.intake.moves import finish_moves
from reelflow.services.intake.register import register_inbox
from reelflow.services.intake.waiting import find_wait, hold
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.workspace import PublishingRules, Workspace

log = logging.getLogger(__name__)

#: Most posts that Airflow maps a task over, unless it is told otherwise.
_MOST_MAPPED: Final = 1024
#: Posts of a run's batch that it may still have to send.
_UNSENT: Final = frozenset(
    {PostState.READY, PostState.MISSED, PostState.UPLOADING, PostState.COMMITTING}
)
#: Posts whose tasks all come to their end, if only because everything is done.
_GOING: Final = _UNSENT | DONE | {PostState.PROCESSING}


@dataclass(frozen=True)
class BatchPost:
    """One post of a run's batch.

    :param post_id: the identity of everything that follows
    :param file_name: the name of its file or folder of photos, for people to read
    """

    post_id: int
    file_name: str


def find_new_uploads(workspace: Workspace, run: Run, *, actor: str) -> list[BatchPost]:
    """Register the inbox and return the run's batch, claimed for it.

    A run that has a batch gets the same one again; a backfill appends what its interval has
    gained. Posts without a wished time join the run that registers them.
    """
    paused = outage(workspace)
    if paused is not None:
        log.warning("%s; posts are prepared meanwhile", paused)
    finish_moves(workspace, actor=actor)
    return_stalled_uploads(workspace, actor=actor)
    with workspace.ledger.read() as session:
        known = batches.post_ids(session, run.run_id)
    if isinstance(run, BackfillRun) or not known:
        _take(workspace, run, actor=actor)
    if isinstance(run, NormalRun) and not known:
        register_inbox(workspace, run=run, actor=actor)
    if isinstance(run, NormalRun):
        _miss_late(workspace, run, actor=actor)
    return _claimed_batch(workspace, run)


def _take(workspace: Workspace, run: Run, *, actor: str) -> None:
    try:
        _take_free(workspace, run, actor=actor)
    except IntegrityError:
        # A recalled post's bytes became another post between our look and our write: look again.
        _take_free(workspace, run, actor=actor)


def _take_free(workspace: Workspace, run: Run, *, actor: str) -> None:
    with workspace.ledger.write() as session:
        claims.take_turns(session)
        take_batch(session, run, workspace.rules, now=workspace.ledger.now(), actor=actor)


def take_batch(
    session: Session, run: Run, rules: PublishingRules, *, now: datetime, actor: str
) -> None:
    """Claim what a run may take now, and write it down behind what the run has already.

    A backfill's plan rehearses this, so that it names what the backfill then takes.
    """
    taken = _claimed(session, run, rules, now=now)
    if isinstance(run, BackfillRun):
        taken = [
            post_id for post_id in taken if _recall(session, post_id, run, now=now, actor=actor)
        ]
    batches.append(session, run.run_id, taken, now=now)


def _claimed(session: Session, run: Run, rules: PublishingRules, *, now: datetime) -> list[int]:
    """Claim what the run may take, and take what was claimed: of two runs one gets a post."""
    while True:
        wanted = _wanted(session, run, rules, now=now)
        claimed = claims.claim(session, wanted, run_id=run.run_id, now=now, claim=rules.claim)
        if claimed or not wanted:
            return [post_id for post_id in wanted if post_id in claimed]


def _wanted(session: Session, run: Run, rules: PublishingRules, *, now: datetime) -> list[int]:
    """Return the posts to take: those the run has already, and new ones while there is room.

    What ended takes no room, nor what was given a later time: a backfill that is cleared goes on
    with the rest of its days.
    """
    known = set(batches.post_ids(session, run.run_id))
    due = _due(session, run, rules, now=now)
    unsent = select(func.count()).where(
        Post.id.in_(known), Post.state.in_(_UNSENT), posts.wished_by(now)
    )
    room = min(rules.batch_size - (session.scalar(unsent) or 0), _MOST_MAPPED - len(known))
    new = [post_id for post_id in due if post_id not in known][: max(room, 0)]
    return [post_id for post_id in due if post_id in known] + new


def _due(session: Session, run: Run, rules: PublishingRules, *, now: datetime) -> list[int]:
    size = rules.batch_size
    if isinstance(run, BackfillRun):
        return posts.due(session, run, now=now, limit=size)
    # First what was begun, because its upload URLs live for an hour only.
    begun = posts.interrupted(session, now=now, limit=size)
    share = share_of_backlog(session, batch_size=size, now=now)
    return begun + posts.due(session, run, now=now, limit=size, share=share)


def _recall(session: Session, post_id: int, run: BackfillRun, *, now: datetime, actor: str) -> bool:
    """Make a MISSED post READY for a backfill; False when other posts took its place.

    One that waits for a person first, as for approval, is HELD. One that cannot be read is taken as
    it is: the tasks that work on it say what is wrong with it.
    """
    with damage.passing_over(session, post_id):
        return _go_out_again(session, post_id, run, now=now, actor=actor)
    return True


def _go_out_again(
    session: Session, post_id: int, run: BackfillRun, *, now: datetime, actor: str
) -> bool:
    post = posts.get(session, post_id)
    if post.state is not PostState.MISSED:
        return True
    twin = posts.key_holder(session, post)
    if twin is not None:
        cancel_duplicate(session, post, twin, now=now, actor=actor)
        return False
    why = f"taken by the backfill {run.run_id}"
    posts.move(session, post_id, PostState.READY, now=now, actor=actor, why=why)
    post.due_at = now  # by its old time, the next normal run would miss it again
    wait = find_wait(post)
    if wait is not None:
        hold(session, post, wait, now=now, actor=actor)
    return True


def _miss_late(workspace: Workspace, run: NormalRun, *, actor: str) -> None:
    """Make posts MISSED that are too late for a normal run, newly registered ones included."""
    now = workspace.ledger.now()
    at_once = workspace.rules.missed_at_once
    unread: set[int] = set()
    while True:
        # Some at a time: after a long outage there may be many, and nobody else writes meanwhile.
        with workspace.ledger.write() as session:
            late = posts.missed(
                session, before=run.missed_before, now=now, limit=at_once, but_not=unread
            )
            for post_id in late:
                unread.add(post_id)
                with damage.passing_over(session, post_id):
                    _miss(session, posts.get(session, post_id), run, now=now, actor=actor)
                    unread.remove(post_id)
        if len(late) < at_once:
            return


def _miss(session: Session, post: Post, run: NormalRun, *, now: datetime, actor: str) -> None:
    posts.move(
        session,
        post.id,
        PostState.MISSED,
        now=now,
        actor=actor,
        why=f"was due at {post.due_at:%Y-%m-%d %H:%M} UTC, more than {run.max_lateness} before "
        "the run that found it",
        fix=f"`reelflow posts retry {post.id}`, or a backfill over its day",
    )


def _claimed_batch(workspace: Workspace, run: Run) -> list[BatchPost]:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        ids = claim_batch(session, run.run_id, workspace.rules, now=now)
        if isinstance(run, BackfillRun):  # the batch of no other run grows
            ids = _stopped_last(session, ids, now=now)
        names = photo_images.names_of(session, ids)
    # One whose row, or whose file's, was deleted by hand has no name: its tasks say so.
    return [BatchPost(post_id, names.get(post_id, f"post {post_id}")) for post_id in ids]


def _stopped_last(session: Session, post_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Put a batch's posts that stopped on their way, or go later, behind all others.

    When a run is cleared and its batch has grown, Airflow 3.3.2 makes a task for the new members
    only once an old member is about to have it: behind old ones that are rejected, none would go.
    """
    going = select(Post.id).where(
        Post.id.in_(post_ids), Post.state.in_(_GOING), posts.wished_by(now)
    )
    found = set(session.scalars(going))
    return sorted(post_ids, key=lambda post_id: post_id not in found)


def claim_batch(
    session: Session, run_id: str, rules: PublishingRules, *, now: datetime
) -> Sequence[int]:
    """Return a run's whole batch in its order, with what no other run has claimed for it."""
    ids = batches.post_ids(session, run_id)
    claims.claim(session, ids, run_id=run_id, now=now, claim=rules.claim)
    return ids
