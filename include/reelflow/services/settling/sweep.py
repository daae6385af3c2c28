"""Settling what nobody works on any more: lapsed uploads, sent posts, leftovers of dead runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import claims, upload_sessions
from reelflow.ledger.models import Post
from reelflow.services.cleanup import Announcement, announcement, clean_up_files
from reelflow.services.intake.rejection import quarantine
from reelflow.services.settling.reconcile import TikTokSource, reconcile
from reelflow.services.settling.stalled import return_stalled_uploads, supersede_expired
from reelflow.services.settling.trouble import TROUBLE, trouble_with
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass
class SweepReport:
    """What a sweep did; ids of posts and of upload sessions, and names of what was deleted."""

    returned_to_ready: list[int] = field(default_factory=list)
    settled: dict[int, PostState] = field(default_factory=dict)
    still_unsettled: dict[int, str] = field(default_factory=dict)
    cleaned: list[int] = field(default_factory=list)
    expired_uploads: list[str] = field(default_factory=list)
    deleted_work: list[str] = field(default_factory=list)
    to_announce: list[Announcement] = field(default_factory=list)


def expire_sessions(
    workspace: Workspace,
    tiktok: TikTokSource,
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
    learnt = reconcile(workspace, tiktok, actor=actor, longest_put_s=longest_put_s, run_id=run_id)
    report.settled, report.still_unsettled = learnt.settled, learnt.unsettled
    _finish(workspace, report, run_id=run_id)
    _sweep_uploads(workspace, report, actor=actor)
    return report


def _finish(workspace: Workspace, report: SweepReport, *, run_id: str | None) -> None:
    """Do for posts that ended what the run that ended them did not live to do."""
    now = workspace.ledger.now()
    free = claims.free_for(run_id, now=now)
    with workspace.ledger.read() as session:
        kept = Post.source_settled_at.is_(None)
        unmoved = _ids(session, Post.state == PostState.REJECTED, kept)
        uncleaned = _ids(session, Post.state.in_(DONE), kept, free)
        unannounced = _ids(session, Post.state.in_(DONE), Post.announced_at.is_(None), free)
    for post_id in unmoved:
        with _going_on(workspace, post_id, "its file was not put into the quarantine"):
            quarantine(workspace, post_id)
    for post_id in uncleaned:
        with _going_on(workspace, post_id, "its source was not deleted"):
            if clean_up_files(workspace, post_id):
                report.cleaned.append(post_id)
    for post_id in unannounced:
        with _going_on(workspace, post_id, "it was not announced"):
            news = announcement(workspace, post_id)
            if news is not None:
                report.to_announce.append(news)


def _sweep_uploads(workspace: Workspace, report: SweepReport, *, actor: str) -> None:
    """End the uploads that nobody goes on with, and delete what dead processes left of writes."""
    try:
        report.expired_uploads = expire_uploads(workspace, actor=actor)
    except ReelflowError as exc:
        log.warning("uploads that nobody goes on with were not swept: %s", exc)
    _drop_old_uploads(
        workspace, report, before=workspace.ledger.now() - workspace.rules.work_lifetime
    )


def _drop_old_uploads(workspace: Workspace, report: SweepReport, *, before: datetime) -> None:
    with workspace.ledger.read() as session:
        # However long ago it began: a session lives as long as chunks come.
        going_on = upload_sessions.in_store(session)
    try:
        for upload in workspace.folders.old_uploads(before=before):
            if upload.upload_id in going_on:
                continue
            workspace.folders.drop_upload(upload)
            report.deleted_work.append(upload.upload_id)
    except ReelflowError as exc:
        log.warning("what dead processes left of writes was not deleted: %s", exc)


@contextmanager
def _going_on(workspace: Workspace, post_id: int, undone: str) -> Iterator[None]:
    """Log what stands in one post's way and go on: the next run tries again."""
    try:
        yield
    except TROUBLE as exc:
        log.warning("post %d: %s: %s", post_id, undone, trouble_with(workspace, post_id, exc))


def _ids(session: Session, *conditions: ColumnElement[bool]) -> Sequence[int]:
    return session.scalars(select(Post.id).where(*conditions).order_by(Post.id)).all()
