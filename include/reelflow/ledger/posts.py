"""Posts in the ledger: reading them, moving them along the state table, leases, what is due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all, update
from sqlalchemy.orm import Session

from reelflow.domain.post import UNKEYED, PostState, check_transition
from reelflow.domain.schedule import NormalRun, Run, last_wish
from reelflow.exceptions import LeaseLostError, PostNotFoundError
from reelflow.ledger import audit, damage
from reelflow.ledger.claims import unclaimed
from reelflow.ledger.fair_batch import Share, fair_batch, wished_in
from reelflow.ledger.models import CODE_MAX_CHARS, Post, Publication


def get(session: Session, post_id: int, *, lock: bool = False) -> Post:
    """Return a post.

    :param lock: hold its row until the transaction ends
    :raises PostNotFoundError: no post has this id
    :raises ConfigurationError: somebody changed its rows by hand; code ``ledger_damaged``
    """
    query = select(Post).where(Post.id == post_id).execution_options(populate_existing=True)
    try:
        post = session.scalar(query.with_for_update(of=Post) if lock else query)
    except damage.UNREADABLE as exc:
        damage.raise_named(session, post_id, exc)
    if post is None:
        raise not_found(post_id)
    return post


def not_found(post_id: int) -> PostNotFoundError:
    """Return the error of a post that there is not."""
    return PostNotFoundError(f"no post has id {post_id}: see `reelflow posts list`")


def move(
    session: Session,
    post_id: int,
    to: PostState,
    *,
    now: datetime,
    actor: str,
    why: str,
    code: str | None = None,
    fix: str | None = None,
    fencing_token: int | None = None,
    publication_id: int | None = None,
    trouble: str | None = None,
    held: Post | None = None,
) -> Post:
    """Move a post one step along the table, with its audit row; a compare-and-set.

    A step into or out of UPLOADING that its uploader did not take ends the lease: a process that
    only slept would go on and send the last byte of a post that the ledger believes unsent.

    :param why: kept as the post's reason
    :param code: stable slug of the reason, for machines
    :param fix: what a person can do about it
    :param trouble: as of :func:`reelflow.ledger.audit.record`
    :param fencing_token: the lease this step is done under; None for steps outside an upload
    :param held: the post, where this transaction has locked its row already
    :raises IllegalTransitionError: the table forbids the step; nothing changed
    :raises LeaseLostError: a newer lease exists; nothing changed
    """
    post = held or get(session, post_id, lock=True)
    check_fence(post, fencing_token)
    check_transition(post.state, to)
    audit.record(
        session,
        post_id=post_id,
        at=now,
        actor=actor,
        why=why,
        from_state=post.state,
        to_state=to,
        publication_id=publication_id,
        trouble=trouble,
    )
    if fencing_token is None and PostState.UPLOADING in (post.state, to):
        end_lease(post)
    if to is not PostState.READY:
        post.rescheduled_because = None
    if post.state is PostState.REJECTED:
        post.source_settled_at = None  # what was in the quarantine is wanted, or to be deleted
    post.state = to
    post.state_since = now
    post.reason = why
    post.reason_code = code and code[:CODE_MAX_CHARS]  # TikTok's codes may have any length
    post.fix = fix
    session.flush()
    return post


def check_fence(post: Post, fencing_token: int | None) -> None:
    """Raise when the post was leased again since the token was given.

    :raises LeaseLostError: the caller must stop and write nothing
    """
    if fencing_token is not None and post.fencing_token != fencing_token:
        raise LeaseLostError(
            f"post {post.id} was taken over by {post.lease_owner or 'another process'}: this "
            "process stops and leaves it alone"
        )


def is_leased(post: Post, *, now: datetime) -> bool:
    """Whether an upload holds the post."""
    return post.lease_until is not None and post.lease_until > now


def take_lease(
    session: Session, post_id: int, *, owner: str, now: datetime, lease: timedelta
) -> int | None:
    """Take the upload lease of a post; the same owner takes its own lease over.

    :return: the new fencing token, or None while somebody else holds the lease
    """
    post = get(session, post_id, lock=True)
    if is_leased(post, now=now) and post.lease_owner != owner:
        return None
    post.lease_owner = owner
    post.lease_until = now + lease
    post.fencing_token += 1
    session.flush()
    return post.fencing_token


def end_lease(post: Post) -> None:
    """Take the post away from whoever uploads it: what that process writes next is refused."""
    post.fencing_token += 1
    post.lease_owner = post.lease_until = None


def renew_lease(
    session: Session, post_id: int, *, fencing_token: int, now: datetime, lease: timedelta
) -> bool:
    """Prolong a lease; False when it is no longer the caller's."""
    result = session.execute(
        update(Post)
        .where(
            Post.id == post_id, Post.fencing_token == fencing_token, Post.lease_until.is_not(None)
        )
        .values(lease_until=now + lease)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def release_lease(session: Session, post_id: int, *, fencing_token: int) -> None:
    """Give a lease back, if it still is the caller's."""
    session.execute(
        update(Post)
        .where(Post.id == post_id, Post.fencing_token == fencing_token)
        .values(lease_owner=None, lease_until=None)
    )


def wished_for(session: Session, *, start: datetime, end: datetime) -> list[int]:
    """Return the posts of an interval, whatever became of them, in the order of their time."""
    wished = union_all(
        *(select(Post.id, Post.due_at).where(one) for one in wished_in(start, end))
    ).subquery()
    return list(session.scalars(select(wished.c.id).order_by(wished.c.due_at, wished.c.id)))


def wished_by(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a post is not wished for a time which is still to come."""
    return or_(Post.publish_at.is_(None), Post.publish_at <= last_wish(now))


def due(
    session: Session, run: Run, *, now: datetime, limit: int, share: Share | None = None
) -> list[int]:
    """Return the posts a run may take, fair between accounts: each account's first, then second.

    :param now: the time at which claims are judged
    :param share: of a normal run; all without one
    """
    return fair_batch(session, run, now=now, limit=limit, share=share)


def has_due(
    session: Session,
    *,
    now: datetime,
    max_lateness: timedelta,
    limit: int = 100,
    share: Share | None = None,
) -> list[int]:
    """Return the posts that a normal run started now would take; empty when there are none.

    :param limit: most posts that the run takes of each kind
    :param share: what the run may take of posts whose upload was not begun; all without one
    """
    run = NormalRun("", now, max_lateness)
    waiting = interrupted(session, now=now, limit=limit)
    waiting += due(session, run, now=now, limit=limit, share=share)
    left = select(Post.id).where(
        stalled(now), Post.due_at > now - max_lateness, Post.due_at <= now, unclaimed(now)
    )
    return [*waiting, *session.scalars(left.order_by(Post.due_at, Post.id).limit(limit))]


def due_times(session: Session, post_ids: Collection[int]) -> dict[int, datetime]:
    """Return when each of these posts is due."""
    rows = session.execute(select(Post.id, Post.due_at).where(Post.id.in_(post_ids)))
    return {row.id: row.due_at for row in rows}


def note_announced(session: Session, post_ids: Collection[int], *, now: datetime) -> None:
    """Write down that these posts were announced; one that was before keeps its time.

    An id of no post is passed over.
    """
    for post_id in sorted(post_ids):  # two that write several wait for each other in one order
        unannounced = update(Post).where(Post.id == post_id, Post.announced_at.is_(None))
        session.execute(
            unannounced.values(announced_at=now), execution_options={"synchronize_session": False}
        )


def interrupted(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Return the ids of posts whose upload stopped at its last bytes, while its URL still lives.

    Whoever takes one asks TikTok what it holds, and sends the rest to the same publication.
    """
    current = and_(Publication.post_id == Post.id, Publication.is_current)
    query = select(Post.id).join(Publication, current)
    return list(
        session.scalars(
            query.where(
                Post.state == PostState.COMMITTING,
                Post.due_at <= now,
                Post.cancel_requested_at.is_(None),
                unclaimed(now),
                unleased(now),
                Publication.url_expires_at > now,
            )
            .order_by(Post.due_at, Post.id)
            .limit(limit)
        )
    )


def stalled_uploads(session: Session, *, now: datetime) -> Sequence[int]:
    """Return the ids of posts in UPLOADING whose lease has lapsed.

    Their rows are held until the transaction ends; those that another run holds are left to it.
    """
    return session.scalars(
        select(Post.id)
        .where(stalled(now))
        .order_by(Post.id)
        .with_for_update(of=Post, skip_locked=True)
    ).all()


def missed(
    session: Session,
    *,
    before: datetime,
    now: datetime,
    limit: int,
    but_not: Collection[int] = (),
) -> Sequence[int]:
    """Return the ids of unclaimed READY posts that were due at a time or earlier, oldest first.

    Their rows are held until the transaction ends; those that another run holds are left to it.

    :param before: that time
    :param but_not: posts that are left out
    """
    return session.scalars(
        select(Post.id)
        .where(
            Post.state == PostState.READY,
            Post.due_at <= before,
            unclaimed(now),
            Post.id.not_in(but_not),
        )
        .order_by(Post.due_at, Post.id)
        .limit(limit)
        .with_for_update(of=Post, skip_locked=True)
    ).all()


def with_content(session: Session, *, account_id: int, sha256: str, but_not: int) -> Sequence[Post]:
    """Return the keyed posts of an account with these bytes, oldest first.

    :raises ConfigurationError: one of them cannot be read; code ``ledger_damaged``
    """
    return read_all(
        session,
        select(Post)
        .where(
            Post.account_id == account_id,
            Post.sha256 == sha256,
            Post.id != but_not,
            Post.state.not_in(UNKEYED),
        )
        .order_by(Post.id),
    )


def key_holder(session: Session, post: Post) -> Post | None:
    """Return the post that has the content key which this one would need in a keyed state."""
    if post.sha256 is None:
        return None
    twins = with_content(session, account_id=post.account_id, sha256=post.sha256, but_not=post.id)
    return next((twin for twin in twins if twin.slot == post.slot), None)


def next_slot(session: Session, *, account_id: int, sha256: str) -> int:
    """Return the first slot that no post of these bytes on this account ever had."""
    highest: int | None = session.scalar(
        select(func.max(Post.slot)).where(Post.account_id == account_id, Post.sha256 == sha256)
    )
    return 0 if highest is None else highest + 1


def unleased(now: datetime) -> ColumnElement[bool]:
    """Return the condition that no upload holds a post."""
    return or_(Post.lease_until.is_(None), Post.lease_until <= now)


def stalled(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a post's upload ended without a word."""
    return and_(Post.state == PostState.UPLOADING, unleased(now))


def read_all(session: Session, query: Select[Post]) -> Sequence[Post]:
    """Return the posts of a query.

    :raises ConfigurationError: one of them cannot be read; code ``ledger_damaged``
    """
    try:
        return session.scalars(query).all()
    except damage.UNREADABLE:
        for post_id in session.scalars(query.with_only_columns(Post.id)).all():
            get(session, post_id)
        raise
