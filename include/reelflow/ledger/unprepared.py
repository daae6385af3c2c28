"""Which posts' media to prepare ahead of time: those of posts that no run publishes yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    String,
    and_,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from reelflow.domain.analysis import APPROVED_BY_RELEASE
from reelflow.domain.post import PostState
from reelflow.ledger.batches import AHEAD
from reelflow.ledger.claims import unclaimed
from reelflow.ledger.models import BatchEntry, Media, Post


def unprepared(
    session: Session, *, now: datetime, tried_before: datetime, most_tries: int, limit: int
) -> list[int]:
    """Return the ids of posts whose media are to be prepared, the first that is due first.

    Nobody has validated the media of a READY post that is not due yet, or of a HELD one; or they
    were, but have no pictures yet, because a run ahead of time did not come so far, or because a
    run that published the post held it for approval of what they are; or no cover any more, because
    another was chosen.

    :param tried_before: posts that were taken ahead of time after this are left out
    :param most_tries: and those that were taken so often
    """
    found: set[tuple[datetime, int]] = set()
    for query in (_unvalidated(now), _unpictured(now), _uncovered(now)):
        rested = query.where(~_taken(after=tried_before), _times_taken() < most_tries)
        rows = session.execute(rested.order_by(Post.due_at, Post.id).limit(limit))
        found |= {(due_at, post_id) for post_id, due_at in rows}
    return [post_id for _, post_id in sorted(found)[:limit]]


def want_another_cover(session: Session, post: Post) -> None:
    """Have the cover of a post that waits made again, without the rest that follows a try.

    Nor do the tries count that were made before. Where there was nothing to choose from, as while
    libav was missing, it is looked again.
    """
    post.media.thumbnail_path = None
    post.media.candidates = post.media.candidates or None
    session.execute(delete(BatchEntry).where(BatchEntry.post_id == post.id, _is_ahead()))


def _unvalidated(now: datetime) -> Select[int, datetime]:
    unvalidated = select(Media.id).where(
        Media.validated_at.is_(None), Media.moved_at.is_not(None), Media.deleted_at.is_(None)
    )
    # What is wrong with a held post's media is told once; they are judged again when it is READY.
    held = and_(_is(PostState.HELD), Media.violations.is_(None))
    return _posts_of(unvalidated).where(or_(_waits(now), held))


def _unpictured(now: datetime) -> Select[int, datetime]:
    unpictured = select(Media.id).where(Media.candidates.is_(None), Media.deleted_at.is_(None))
    waiting = and_(_waits(now), _taken())
    held = and_(
        _is(PostState.HELD),
        Media.violations.is_(None),
        or_(Post.reason_code.in_(APPROVED_BY_RELEASE), _taken()),
    )
    return _posts_of(unpictured).where(Media.validated_at.is_not(None), or_(waiting, held))


def _uncovered(now: datetime) -> Select[int, datetime]:
    # Nothing to choose from says that no picture of it can be made, or that its cover is of another
    # image than the first.
    can_be_covered = or_(Media.candidates.is_(None), cast(Media.candidates, String()) != "[]")
    uncovered = select(Media.id).where(Media.thumbnail_path.is_(None), Media.deleted_at.is_(None))
    held = and_(_is(PostState.HELD), Media.violations.is_(None))
    return _posts_of(uncovered).where(
        Media.validated_at.is_not(None), can_be_covered, or_(_waits(now), held)
    )


def _posts_of(media: Select[str]) -> Select[int, datetime]:
    query = select(Post.id, Post.due_at).join(Media, Media.id == Post.media_id)
    return query.where(Post.media_id.in_(media), Media.awaited.is_(False))


def _waits(now: datetime) -> ColumnElement[bool]:
    return and_(_is(PostState.READY), Post.due_at > now, unclaimed(now))


def _is(state: PostState) -> ColumnElement[bool]:
    # Not by an index of states: of the posts that are scheduled, almost all are prepared.
    return type_coerce(Post.state, String()).concat("") == state


def _taken(*, after: datetime | None = None) -> ColumnElement[bool]:
    taken = exists().where(BatchEntry.post_id == Post.id, _is_ahead())
    return taken if after is None else taken.where(BatchEntry.created_at > after)


def _times_taken() -> ScalarSelect[int]:
    times = select(func.count()).select_from(BatchEntry)
    return times.where(BatchEntry.post_id == Post.id, _is_ahead()).scalar_subquery()


def _is_ahead() -> ColumnElement[bool]:
    return BatchEntry.run_id.startswith(AHEAD, autoescape=True)
