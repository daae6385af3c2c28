"""Questions whether posts may go: which posts to ask about, and which questions are open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Account, Media, Post


@dataclass(frozen=True)
class OpenQuestions:
    """The questions that wait for a person.

    :param runs: how many runs wait for an answer
    :param latest: when the latest of them took its posts; None without any
    """

    runs: int
    latest: datetime | None


def unasked(
    session: Session,
    *,
    unanswerable: Collection[str],
    now: datetime,
    held_before: datetime,
    limit: int,
    lock: bool = False,
    complained: bool = False,
) -> Sequence[int]:
    """Return the ids of HELD posts that a person can settle and is not asked about.

    :param unanswerable: codes of reasons that no answer settles
    :param held_before: posts without pictures are asked about that are HELD since then; those with
        some, or with files that none can be made of, at once
    :param lock: hold their rows until the transaction ends; those that another one holds are left
        to it
    :param complained: only those of which an answer could not be used
    """
    looked_at = or_(
        Media.candidates.is_not(None),
        Media.violations.is_not(None),
        Post.state_since <= held_before,
    )
    query = (
        select(Post.id)
        .join(Media, Media.id == Post.media_id)
        .join(Account, Account.id == Post.account_id)
        .where(
            Post.state == PostState.HELD,
            func.coalesce(Post.reason_code, "").not_in(unanswerable),
            Account.revoked.is_(False),
            Media.awaited.is_(False),
            Media.moved_at.is_not(None),
            Media.deleted_at.is_(None),
            looked_at,
            ~_asked(now),
            _complained() if complained else true(),
        )
        .order_by(Post.due_at, Post.id)
        .limit(limit)
    )
    return session.scalars(
        query.with_for_update(of=Post, skip_locked=True) if lock else query
    ).all()


def take(session: Session, run_id: str, post_ids: Sequence[int], *, now: datetime) -> None:
    """Give posts to a run that asks about them; each has one open question.

    :raises IntegrityError: another run took one of them meanwhile
    """
    for ordinal, post_id in enumerate(post_ids):
        session.add(ApprovalQuestion(run_id=run_id, ordinal=ordinal, post_id=post_id, taken_at=now))
    session.flush()


def of_run(session: Session, run_id: str) -> Sequence[int]:
    """Return the posts of a run in the order in which it took them."""
    return session.scalars(
        select(ApprovalQuestion.post_id)
        .where(ApprovalQuestion.run_id == run_id)
        .order_by(ApprovalQuestion.ordinal)
    ).all()


def get(
    session: Session, run_id: str, post_id: int, *, lock: bool = False
) -> ApprovalQuestion | None:
    """Return a run's question about a post, if it has one.

    :param lock: hold its row until the transaction ends
    """
    query = (
        select(ApprovalQuestion)
        .where(ApprovalQuestion.run_id == run_id, ApprovalQuestion.post_id == post_id)
        .execution_options(populate_existing=True)
    )
    return session.scalar(query.with_for_update() if lock else query)


def open_about(session: Session, post_id: int) -> ApprovalQuestion | None:
    """Return the open question about a post."""
    return session.scalar(
        select(ApprovalQuestion).where(
            ApprovalQuestion.post_id == post_id, ApprovalQuestion.ended_at.is_(None)
        )
    )


def open_questions(session: Session) -> OpenQuestions:
    """Return how many runs wait for an answer, and since when the latest does."""
    runs, latest = session.execute(
        select(
            func.count(ApprovalQuestion.run_id.distinct()), func.max(ApprovalQuestion.taken_at)
        ).where(ApprovalQuestion.ended_at.is_(None))
    ).one()
    return OpenQuestions(runs, latest)


def all_open(session: Session, *, lock: bool = False) -> Sequence[ApprovalQuestion]:
    """Return every open question.

    :param lock: hold their rows until the transaction ends
    """
    query = select(ApprovalQuestion).where(ApprovalQuestion.ended_at.is_(None))
    query = query.order_by(ApprovalQuestion.post_id)  # as the index of the open ones is
    return session.scalars(query.with_for_update() if lock else query).all()


def complaint_about(session: Session, post: Post, *, before: ApprovalQuestion) -> str | None:
    """Return what was wrong with the last answer about a post, since it is HELD this time.

    :param before: the question that is asked now
    """
    latest = session.scalar(
        select(ApprovalQuestion)
        .where(
            ApprovalQuestion.post_id == post.id,
            ApprovalQuestion.asked_at.is_not(None),
            ApprovalQuestion.held_since == post.state_since,
            ApprovalQuestion.run_id != before.run_id,
        )
        .order_by(ApprovalQuestion.asked_at.desc())
        .limit(1)
    )
    return None if latest is None else latest.complaint


def latest_choices(
    session: Session, *, account_id: int, asked_after: datetime
) -> ApprovalQuestion | None:
    """Return the latest question about a direct post of an account, if one was asked lately."""
    return session.scalar(
        select(ApprovalQuestion)
        .join(Post, Post.id == ApprovalQuestion.post_id)
        .where(
            Post.account_id == account_id,
            ApprovalQuestion.asked_at > asked_after,
            ApprovalQuestion.choices.is_not(None),
        )
        .order_by(ApprovalQuestion.asked_at.desc())
        .limit(1)
    )


def _asked(now: datetime) -> ColumnElement[bool]:
    waits = or_(ApprovalQuestion.ended_at.is_(None), ApprovalQuestion.again_at > now)
    return exists().where(and_(ApprovalQuestion.post_id == Post.id, waits))


def _complained() -> ColumnElement[bool]:
    return exists().where(
        ApprovalQuestion.post_id == Post.id,
        ApprovalQuestion.held_since == Post.state_since,
        ApprovalQuestion.complaint.is_not(None),
    )
