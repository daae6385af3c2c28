"""Summing a run up, by the ledger and never by the states of tasks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import ReelflowError
from reelflow.ledger import batches, damage, photo_images, posts
from reelflow.ledger.models import Post
from reelflow.services.accounts.revocation import reason_and_fix
from reelflow.services.calls.breaker import outage
from reelflow.services.known_time import goes_later
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_PROBLEMS = frozenset({PostState.FAILED, PostState.REJECTED, PostState.UNKNOWN})
_UNFINISHED = frozenset({PostState.READY, PostState.UPLOADING, PostState.COMMITTING})
_DAMAGED: Final = "damaged"


@dataclass(frozen=True)
class RunSummary:
    """What became of a run's batch.

    :param counts: how many posts are in each state, and under "damaged" those that cannot be read
    :param lines: one sentence a post
    :param problems: the sentences of the posts for which the run fails
    """

    counts: dict[str, int]
    lines: list[str]
    problems: list[str]

    @property
    def note(self) -> str:
        """All of it in a few words, and the sentences of what needs a person."""
        counts = ", ".join(f"{count} {state}" for state, count in sorted(self.counts.items()))
        total = len(self.lines)
        posts = f"{total} post{'' if total == 1 else 's'}: {counts}"
        return "\n".join([posts, *self.problems])


def summarize(workspace: Workspace, run_id: str) -> RunSummary:
    """Sum a run up and give its claims back."""
    paused = outage(workspace)
    if paused is not None:
        log.warning("%s", paused)
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        ids = batches.post_ids(session, run_id)
        rows = _rows(session, ids)
        session.execute(
            update(Post)
            .where(Post.claimed_by == run_id)
            .values(claimed_by=None, claimed_until=None)
        )
    ordered = [rows[post_id] for post_id in ids]
    return RunSummary(
        counts=dict(Counter(_state(row) for row in ordered)),
        lines=[_line(row, now=now) for row in ordered],
        problems=[_line(row, now=now) for row in ordered if _is_problem(row, now=now)],
    )


def _rows(session: Session, post_ids: Sequence[int]) -> dict[int, Post | ReelflowError]:
    """Return the posts by their ids, or why one cannot be read."""
    query = select(Post).where(Post.id.in_(post_ids))
    try:
        found: dict[int, Post | ReelflowError] = {p.id: p for p in session.scalars(query)}
    except damage.UNREADABLE:
        found = {}
    for post_id in post_ids:
        if post_id not in found:
            try:
                found[post_id] = posts.get(session, post_id)
            except ReelflowError as exc:
                found[post_id] = exc
    return found


def _state(row: Post | ReelflowError) -> str:
    return _DAMAGED if isinstance(row, ReelflowError) else str(row.state)


def _is_problem(post: Post | ReelflowError, *, now: datetime) -> bool:
    if isinstance(post, ReelflowError):
        return True
    unexplained = post.state in _UNFINISHED and goes_later(post, now=now) is None
    return post.state in _PROBLEMS or unexplained


def _line(row: Post | ReelflowError, *, now: datetime) -> str:
    if isinstance(row, ReelflowError):
        return str(row)
    return post_line(row, later=goes_later(row, now=now))


def post_line(post: Post, *, later: str | None = None) -> str:
    """Return where a post stands and what a person does about it.

    :param later: why it goes out at a known time only
    """
    reason, fix = reason_and_fix(post)
    text = f"post {post.id} ({photo_images.name_of(post)}, {post.account.name}): {post.state}: "
    text += later or reason
    return f"{as_sentence(text)} To fix: {fix}" if fix else text
