"""What uploads leave behind in a ledger and a store."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from reelflow.domain.upload_session import SessionState
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace

_FOLDERS: Final = ("media", "prepared", "thumbnails", "quarantine")


def media_ids(workspace: Workspace) -> set[str]:
    """Return the ids of all media rows that stand for a file."""
    with workspace.ledger.read() as session:
        return set(session.scalars(select(Media.id).where(~Media.awaited)))


def stored_keys(workspace: Workspace) -> set[str]:
    """Return the keys of all that lies in the store, whole or begun."""
    store = workspace.folders.store
    whole = {info.key for folder in _FOLDERS for info in store.list(folder)}
    return whole | {f"begun:{upload.upload_id}" for upload in store.begun()}


def unfinished_sessions(workspace: Workspace) -> list[UploadSession]:
    """Return the sessions that did not end with a file."""
    with workspace.ledger.read() as session:
        finished = UploadSession.state == SessionState.FINISHED
        return list(session.scalars(select(UploadSession).where(~finished)))


def reserved(workspace: Workspace) -> tuple[int, int]:
    """Return how many uploads and bytes are reserved of quotas, of all users and days."""
    with workspace.ledger.read() as session:
        rows = session.scalars(select(QuotaUse)).all()
    return sum(row.reserved_uploads for row in rows), sum(row.reserved_bytes for row in rows)


def used(workspace: Workspace) -> tuple[int, int]:
    """Return how many uploads and bytes of quotas are used, of all users and days."""
    with workspace.ledger.read() as session:
        rows = session.scalars(select(QuotaUse)).all()
    return sum(row.uploads for row in rows), sum(row.bytes for row in rows)


def assert_nothing_is_left(workspace: Workspace) -> None:
    """Fail if an upload that came to nothing left anything at all."""
    assert media_ids(workspace) == set()
    assert stored_keys(workspace) == set()
    assert unfinished_sessions(workspace) == []
    assert reserved(workspace) == used(workspace) == (0, 0)
