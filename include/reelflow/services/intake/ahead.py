"""Finding media to prepare ahead of time, before a run publishes them or a person releases them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.ledger import batches, photo_images
from reelflow.ledger.batches import AHEAD
from reelflow.ledger.unprepared import unprepared
from reelflow.services.discover import BatchPost
from reelflow.services.intake.lone_media import waiting_lone_media
from reelflow.services.workspace import Workspace

#: What could not be prepared is tried again by another run after this; its publishing run does it
#: in any case.
TRY_AGAIN: Final = timedelta(hours=1)
#: But no more often than this: what fails for a whole day fails for ever, or waits for a person.
MOST_TRIES: Final = 24
#: Most characters that a batch keeps of a run's id.
_RUN_ID_CHARS: Final = 250


def find_unprepared_media(workspace: Workspace, *, run_id: str) -> list[BatchPost]:
    """Return the posts whose media a run is to prepare, and give them to no other run for a while.

    The same run, cleared, gets the same posts again. None is claimed: publishing runs may overtake.
    """
    # Apart from the batches of publishing runs: one of the same id would publish what is not due.
    batch = f"{AHEAD}{run_id}"[:_RUN_ID_CHARS]
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        if not batches.post_ids(session, batch):
            found = _waiting(session, now=now, limit=workspace.rules.batch_size)
            batches.append(session, batch, found, now=now)
        ids = batches.post_ids(session, batch)
        names = photo_images.names_of(session, ids)
    return [BatchPost(post_id, names.get(post_id, f"post {post_id}")) for post_id in ids]


def waiting_media(workspace: Workspace) -> frozenset[str]:
    """Name what a run started now would prepare, or look into; empty when nothing is to be done."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        found = _waiting(session, now=now, limit=workspace.rules.batch_size)
    lone = (f"media:{media_id}" for media_id in waiting_lone_media(workspace))
    return frozenset((*(f"post:{post_id}" for post_id in found), *lone))


def _waiting(session: Session, *, now: datetime, limit: int) -> list[int]:
    return unprepared(
        session, now=now, tried_before=now - TRY_AGAIN, most_tries=MOST_TRIES, limit=limit
    )
