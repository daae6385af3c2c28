"""Objects that came, or stayed, after their upload had come to nothing."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.upload_session import ENDED, SWEPT_AFTER
from reelflow.ledger import upload_sessions
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import DASHBOARD, DIRECT

#: An object is named after its upload, and so is the file that it becomes.
_NAME: Final = re.compile(r"(?P<id>[0-9a-f]{32})\.[a-z0-9]{1,5}", re.ASCII)


def delete_strays(workspace: Workspace) -> list[str]:
    """Delete old objects of uploads that nobody finished, or whose file was deleted since.

    A form works for its whole hour, whatever becomes of its job meanwhile, and a process may die
    between storing a file and telling the ledger.

    :return: their keys
    """
    before = workspace.ledger.now() - SWEPT_AFTER
    store = workspace.folders.store
    old = [
        info.key
        for folder in (DASHBOARD, DIRECT)
        for info in store.list(folder)
        if info.modified_at < before
    ]
    with workspace.ledger.read() as session:
        strays = [key for key in old if _is_stray(session, key)]
    for key in strays:
        store.delete(key)
    return strays


def _is_stray(session: Session, key: str) -> bool:
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return False
    row = upload_sessions.get(session, found["id"])
    if row is not None and row.state not in ENDED:
        return False
    media = session.get(Media, found["id"])
    return media is None or media.source_path != key or media.deleted_at is not None
