"""Which HELD posts a person is to be asked about, and by which run: each post by one at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.post import NO_MEDIA
from reelflow.ledger import approvals, photo_images
from reelflow.services.accounts.revocation import RECONNECT_SETTLES
from reelflow.services.discover import BatchPost
from reelflow.services.publishing.preflight import LONGER_THAN_CREATOR_MAY, TEXT_TOO_LONG
from reelflow.services.workspace import Workspace

#: Why a post is HELD that no answer lets go: its media, its text or its account must be mended.
UNANSWERABLE: Final = RECONNECT_SETTLES | {NO_MEDIA, TEXT_TOO_LONG, LONGER_THAN_CREATOR_MAY}
#: So long a question waits for the post's pictures; without them, it is asked then.
PICTURES_WITHIN: Final = timedelta(minutes=10)
#: For each run that waits for an answer, the next one comes so much later. So few runs wait for
#: many posts, where nobody answers, and one for each at once, where somebody does.
PACE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Asked:
    """One open question: the place of its post among those of its run."""

    run_id: str
    ordinal: int


def find_posts_to_approve(workspace: Workspace, *, run_id: str) -> list[BatchPost]:
    """Return the posts that a run asks about, and that no other one asks about meanwhile.

    The same run, cleared, gets the same posts again.
    """
    try:
        ids, names = _take(workspace, run_id)
    except IntegrityError:
        # Another run took one of them between our look and our write: look again.
        ids, names = _take(workspace, run_id)
    return [BatchPost(post_id, names.get(post_id, f"post {post_id}")) for post_id in ids]


def waiting_approvals(workspace: Workspace) -> frozenset[str]:
    """Name the posts that a run started now would ask about.

    While it is to wait a little, those alone about which somebody has answered in vain, and waits.
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        waiting = approvals.open_questions(session)
        is_early = waiting.latest is not None and now < waiting.latest + PACE * waiting.runs
        found = _unasked(session, workspace, complained=is_early)
    return frozenset(f"post:{post_id}" for post_id in found)


def asked_questions(workspace: Workspace) -> list[Asked]:
    """Return every open question."""
    with workspace.ledger.read() as session:
        found = approvals.all_open(session)
        return [Asked(one.run_id, one.ordinal) for one in found]


def lapse(workspace: Workspace, dead: Collection[Asked]) -> int:
    """End questions that nobody can answer any more, so that another run asks.

    One that was answered meanwhile is left as it is.

    :return: how many ended
    """
    gone, now, ended = set(dead), workspace.ledger.now(), 0
    if not gone:
        return 0
    with workspace.ledger.write() as session:
        for one in approvals.all_open(session, lock=True):
            if Asked(one.run_id, one.ordinal) in gone:
                one.ended_at, one.outcome = now, "its task ended without an answer"
                ended += 1
    return ended


def _take(workspace: Workspace, run_id: str) -> tuple[Sequence[int], dict[int, str]]:
    with workspace.ledger.write() as session:
        if not approvals.of_run(session, run_id):
            found = _unasked(session, workspace, lock=True)
            approvals.take(session, run_id, found, now=workspace.ledger.now())
        ids = approvals.of_run(session, run_id)
        return ids, photo_images.names_of(session, ids)


def _unasked(
    session: Session, workspace: Workspace, *, lock: bool = False, complained: bool = False
) -> Sequence[int]:
    now = workspace.ledger.now()
    return approvals.unasked(
        session,
        unanswerable=UNANSWERABLE,
        now=now,
        held_before=now - PICTURES_WITHIN,
        limit=workspace.rules.batch_size,
        lock=lock,
        complained=complained,
    )
