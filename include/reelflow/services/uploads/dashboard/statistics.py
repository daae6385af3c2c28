"""What a user uploaded so far, what content analysis said of it, and what is left of the day."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from reelflow.domain.user import User
from reelflow.ledger.models import Media, Verdict
from reelflow.services import quotas
from reelflow.services.quotas import QuotaLeft
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class Statistics:
    """Numbers of one user.

    :param uploads: files that came, by whichever way; those that were deleted since count
    :param verdicts: how many files are ``fake``, ``real``, ``unclear`` (the engine cannot say),
        ``refused`` (it never will) or still ``processing``
    """

    uploads: int
    size_bytes: int
    verdicts: dict[str, int]
    quota: QuotaLeft


def statistics_of(workspace: Workspace, user: User) -> Statistics:
    """Count what a user uploaded."""
    said = case(
        (Verdict.found_at.is_(None), "processing"),
        (Verdict.refused_because.is_not(None), "refused"),
        (Verdict.is_fake.is_(True), "fake"),
        (Verdict.is_fake.is_(False), "real"),
        else_="unclear",
    )
    theirs = Media.user_id == user.id
    came = theirs & Media.awaited.is_(False)
    with workspace.ledger.read() as session:
        uploads, size_bytes = session.execute(
            select(func.count(), func.coalesce(func.sum(Media.size_bytes), 0)).where(came)
        ).one()
        counted = session.execute(
            select(said, func.count(func.distinct(Verdict.media_id)))
            .join(Media, Media.id == Verdict.media_id)
            .where(theirs)
            .group_by(said)
        ).all()
        left = quotas.left(session, user.id, workspace.ledger.now())
    verdicts = dict.fromkeys(("fake", "real", "unclear", "refused", "processing"), 0)
    return Statistics(uploads, int(size_bytes), verdicts | dict(counted), left)
