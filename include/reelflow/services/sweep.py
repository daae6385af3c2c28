"""Settling what nobody works on any more: lapsed uploads, sent posts, leftovers of dead runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import ConfigurationError, ReelflowError, TikTokUnreachableError
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Media, Post, Publication
from reelflow.services.cleanup import Announcement, announcement, clean_up_files
from reelflow.services.rejection import quarantine
from reelflow.services.settle import apply_status, proves_incomplete, reopen
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

#: Asks TikTok for a status: id of the account, publish_id.
StatusFetcher = Callable[[int, str], PublishStatus]


@dataclass
class SweepReport:
    """What a sweep did; ids of posts, and names of what was deleted."""

    returned_to_ready: list[int] = field(default_factory=list)
    settled: dict[int, str] = field(default_factory=dict)
    still_unsettled: dict[int, str] = field(default_factory=dict)
    cleaned: list[int] = field(default_factory=list)
    deleted_work: list[str] = field(default_factory=list)
    to_announce: list[Announcement] = field(default_factory=list)


def expire_sessions(
    workspace: Workspace,
    fetch_status: StatusFetcher,
    *,
    actor: str,
    longest_put_s: float,
    run_id: str | None = None,
) -> SweepReport:
    """Settle every post that nobody holds, and delete what dead runs left behind.

    One post's trouble does not stop the others: it is reported and tried again by the next run.

    :param longest_put_s: how long a PUT of ours can take
    :param run_id: the run that sweeps as its last work on posts; what it claimed itself is free
    """
    report = SweepReport()
    report.returned_to_ready = return_stalled_uploads(workspace, actor=actor)
    supersede_expired(workspace, actor=actor)
    with workspace.ledger.read() as session:
        found = posts.unsettled(session, now=workspace.ledger.now(), run_id=run_id)
        unsettled = [post.id for post in found]
    for post_id in unsettled:
        state: PostState | None
        reached = True
        try:
            state = _ask(workspace, fetch_status, post_id, actor=actor, longest_put_s=longest_put_s)
            trouble = f"its state at TikTok is {state}"
        except ReelflowError as exc:
            state, trouble = None, str(exc)
            reached = not isinstance(exc, TikTokUnreachableError)
        if state is None or state in PAST_LAST_BYTE or state is PostState.UNKNOWN:
            state = _unsettled_state(
                workspace, post_id, actor=actor, trouble=trouble, may_give_up=reached
            )
        if state is None:
            report.still_unsettled[post_id] = trouble
        else:
            report.settled[post_id] = state
    _finish(workspace, report, run_id=run_id)
    return report


def return_stalled_uploads(workspace: Workspace, *, actor: str) -> list[int]:
    """Make posts READY again whose uploader died before the last byte.

    Their publication stays: while its URL lives, the next upload goes on where it stopped.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        returned = [post.id for post in posts.stalled_uploads(session, now=now)]
        for post_id in returned:
            posts.move(
                session,
                post_id,
                PostState.READY,
                now=now,
                actor=actor,
                why="its upload stopped before the last byte; the next one goes on from there",
            )
    return returned


def supersede_expired(workspace: Workspace, *, actor: str) -> None:
    """Give up the publications of waiting posts whose upload URL's hour has passed."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        expired = session.scalars(
            select(Publication)
            .join(Post, Post.id == Publication.post_id)
            .where(
                Publication.is_current,
                Publication.state == PublicationState.UPLOADING,
                Publication.url_expires_at <= now,
                Post.state == PostState.READY,
                or_(Post.lease_until.is_(None), Post.lease_until <= now),
            )
        ).all()
        for publication in expired:
            publications.move(
                session,
                publication,
                PublicationState.SUPERSEDED,
                now=now,
                actor=actor,
                why="its upload URL's hour passed before the last byte",
            )


def _ask(
    workspace: Workspace,
    fetch_status: StatusFetcher,
    post_id: int,
    *,
    actor: str,
    longest_put_s: float,
) -> PostState:
    """Ask TikTok about one post and write down what it says."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if publication is None or publication.publish_id is None:
        raise ConfigurationError(f"post {post_id} is {post.state} without a publish_id")
    asked_at = workspace.ledger.now()
    status = fetch_status(post.account_id, publication.publish_id)
    state = apply_status(workspace, post_id, publication.publish_id, status, actor=actor)
    if (
        state is PostState.COMMITTING
        and proves_incomplete(publication, status, asked_at=asked_at, longest_put_s=longest_put_s)
        and reopen(workspace, post_id, publication.publish_id, actor=actor, fencing_token=None)
    ):
        return_stalled_uploads(workspace, actor=actor)
        return PostState.READY
    return state


def _unsettled_state(
    workspace: Workspace, post_id: int, *, actor: str, trouble: str, may_give_up: bool
) -> PostState | None:
    """Make a post UNKNOWN about which nothing at all was learnt for too long.

    A status, also one that is not final, is news: while TikTok says that it works on a post, the
    post waits.

    :param may_give_up: False when TikTok could not be asked, which says nothing about the post
    :return: the post's state if it changed since it was found, else None
    """
    now = workspace.ledger.now()
    limit = workspace.rules.unknown_after
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state not in PAST_LAST_BYTE:
            return None if post.state is PostState.UNKNOWN else post.state
        if not may_give_up or now - _last_news(session, post) < limit:
            return None
        posts.move(
            session,
            post_id,
            PostState.UNKNOWN,
            now=now,
            actor=actor,
            why=f"TikTok said nothing for {limit}: {trouble}",
            code="no_status",
            fix=f"look whether the post is on {post.account.name} in the TikTok app; Reelflow "
            "never posts it again by itself",
        )
    return PostState.UNKNOWN


def _last_news(session: Session, post: Post) -> datetime:
    """Return when the post last took a step, or TikTok last said anything about it."""
    publication = publications.current(session, post.id)
    said_at = publication and publication.tiktok_status_at
    return max(post.state_since, said_at or post.state_since)


def _finish(workspace: Workspace, report: SweepReport, *, run_id: str | None) -> None:
    """Do for posts that ended what the run that ended them did not live to do."""
    now = workspace.ledger.now()
    free = posts.free_for(run_id, now=now)
    with workspace.ledger.read() as session:
        unmoved = _ids(session, Post.state == PostState.REJECTED, Media.source_path.like("media/%"))
        uncleaned = _ids(session, Post.state.in_(DONE), Media.deleted_at.is_(None), free)
        unannounced = _ids(session, Post.state.in_(DONE), Post.announced_at.is_(None), free)
    for post_id in unmoved:
        with _going_on(f"post {post_id}: its file was not put into the quarantine"):
            quarantine(workspace, post_id)
    for post_id in uncleaned:
        with _going_on(f"post {post_id}: its source was not deleted"):
            if clean_up_files(workspace, post_id):
                report.cleaned.append(post_id)
    for post_id in unannounced:
        news = announcement(workspace, post_id)
        if news is not None:
            report.to_announce.append(news)
    oldest_s = (now - workspace.rules.work_lifetime).timestamp()
    for path in workspace.folders.old_work(before_s=oldest_s):
        with _going_on(f"{path.name} was not deleted from the work folder"):
            workspace.folders.delete_work(path)
            report.deleted_work.append(path.name)


@contextmanager
def _going_on(trouble: str) -> Iterator[None]:
    """Log what stands in one post's way and go on: the next run tries again."""
    try:
        yield
    except (ReelflowError, OSError) as exc:
        log.warning("%s: %s", trouble, exc)


def _ids(session: Session, *conditions: ColumnElement[bool]) -> Sequence[int]:
    query = select(Post.id).join(Media, Media.id == Post.media_id).where(*conditions)
    return session.scalars(query.order_by(Post.id)).all()
