"""Verdicts in the ledger: begun, found or refused, and approved by a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.ledger import damage, photo_images, posts
from reelflow.ledger.models import Account, Post, Verdict


def engine_asked(session: Session, post_id: int) -> AnalysisEngine | None:
    """Return the engine that a post's account asks; None where it wants nothing analysed.

    :raises PostNotFoundError: no post has this id
    :raises ConfigurationError: somebody changed its rows by hand; code ``ledger_damaged``
    """
    query = (
        select(Account.analysis_policy, Account.analysis_engine)
        .join(Post, Post.account_id == Account.id)
        .where(Post.id == post_id)
    )
    try:
        found = session.execute(query).first()
    except damage.UNREADABLE as exc:
        damage.raise_named(session, post_id, exc)
    if found is None:
        raise posts.not_found(post_id)
    return None if found.analysis_policy is AnalysisPolicy.IGNORE else found.analysis_engine


def find(
    session: Session,
    media_id: str,
    *,
    engine: AnalysisEngine,
    model_type: str,
    lock: bool = False,
) -> Verdict | None:
    """Return what one model of one engine says of a file, or that it was asked; None if not.

    :param lock: hold its row until the transaction ends
    """
    query = select(Verdict).where(
        Verdict.media_id == media_id, Verdict.engine == engine, Verdict.model_type == model_type
    )
    query = query.execution_options(populate_existing=True)
    return session.scalar(query.with_for_update(of=Verdict) if lock else query)


def of_media(session: Session, media_ids: Collection[str]) -> Sequence[Verdict]:
    """Return everything that engines were asked of these files, oldest first."""
    return session.scalars(
        select(Verdict).where(Verdict.media_id.in_(media_ids)).order_by(Verdict.id)
    ).all()


def of_post(session: Session, post: Post) -> Sequence[Verdict]:
    """Return everything that engines were asked of a post's files, oldest first.

    No other process changes it until the transaction ends.
    """
    media_ids = [media.id for media in photo_images.media_of(session, post)]
    query = select(Verdict).where(Verdict.media_id.in_(media_ids)).order_by(Verdict.id)
    query = query.execution_options(populate_existing=True)
    return session.scalars(query.with_for_update(of=Verdict)).all()


def begin(
    session: Session,
    media_id: str,
    *,
    engine: AnalysisEngine,
    model_type: str,
    analysis_id: str,
    now: datetime,
) -> Verdict:
    """Write down that an analysis was started; what an earlier one found stays until it ends."""

    def store() -> Verdict:
        verdict = find(session, media_id, engine=engine, model_type=model_type, lock=True)
        if verdict is None:
            verdict = Verdict(media_id=media_id, engine=engine, model_type=model_type)
            session.add(verdict)
        verdict.analysis_id, verdict.started_at = analysis_id, now
        session.flush()
        return verdict

    try:
        with session.begin_nested():
            return store()
    except IntegrityError:  # another process started one at the same moment
        return store()


def record(
    session: Session,
    verdict: Verdict,
    *,
    verdict_id: str,
    is_fake: bool | None,
    confidence: float | None,
    seconds: float,
    details: dict[str, Any],
    now: datetime,
) -> None:
    """Keep what an engine found. An approval stays while the verdict is the same one."""
    if verdict.verdict_id != verdict_id:
        verdict.approved_by = verdict.approved_at = None
    verdict.verdict_id, verdict.is_fake, verdict.confidence = verdict_id, is_fake, confidence
    verdict.seconds, verdict.details, verdict.found_at = seconds, details, now
    verdict.analysis_id = verdict.refused_because = None
    session.flush()


def refuse(session: Session, verdict: Verdict, *, why: str, now: datetime) -> None:
    """Write down that the engine will never judge the file. An earlier refusal's approval stays."""
    if verdict.refused_because is None:
        verdict.approved_by = verdict.approved_at = None
    verdict.refused_because, verdict.found_at = why, now
    verdict.analysis_id = verdict.verdict_id = verdict.is_fake = verdict.confidence = None
    verdict.seconds = verdict.details = None
    session.flush()


def approve(
    session: Session, seen: Sequence[Verdict], *, actor: str, now: datetime
) -> Sequence[Verdict]:
    """Write down that a person approves what these hold against files; return what that was.

    :param seen: what the person was shown, as :func:`of_post` returned it, and nothing else
    """
    held = [
        one
        for one in seen
        if one.approved_at is None and (one.is_fake or one.refused_because is not None)
    ]
    for verdict in held:
        verdict.approved_by, verdict.approved_at = actor, now
    session.flush()
    return held
