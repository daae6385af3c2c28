"""Summing a run up, by the ledger and never by the states of tasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select, update

from reelflow.domain.post import PostState
from reelflow.ledger import batches, photo_images
from reelflow.ledger.models import Post
from reelflow.services.workspace import Workspace

_PROBLEMS = frozenset({PostState.FAILED, PostState.REJECTED, PostState.UNKNOWN})
_UNFINISHED = frozenset({PostState.READY, PostState.UPLOADING, PostState.COMMITTING})


@dataclass(frozen=True)
class RunSummary:
    """What became of a run's batch.

    :param counts: how many posts are in each state
    :param lines: one sentence a post
    :param problems: the sentences of the posts for which the run fails
    """

    counts: dict[str, int]
    lines: list[str]
    problems: list[str]


def summarize(workspace: Workspace, run_id: str) -> RunSummary:
    """Sum a run up and give its claims back."""
    with workspace.ledger.write() as session:
        ids = batches.post_ids(session, run_id)
        rows = {post.id: post for post in session.scalars(select(Post).where(Post.id.in_(ids)))}
        session.execute(
            update(Post)
            .where(Post.claimed_by == run_id)
            .values(claimed_by=None, claimed_until=None)
        )
    ordered = [rows[post_id] for post_id in ids]
    return RunSummary(
        counts=dict(Counter(str(post.state) for post in ordered)),
        lines=[_line(post) for post in ordered],
        problems=[_line(post) for post in ordered if _is_problem(post)],
    )


def _is_problem(post: Post) -> bool:
    unexplained = post.state in _UNFINISHED and post.rescheduled_because is None
    return post.state in _PROBLEMS or unexplained


def _line(post: Post) -> str:
    text = f"post {post.id} ({photo_images.name_of(post)}, {post.account.name}): {post.state}: "
    text += post.rescheduled_because or post.reason
    return f"{text}. To fix: {post.fix}" if post.fix else text
