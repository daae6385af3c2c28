"""Objects that forms brought after their upload had come to nothing."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.ids import ID_PATTERN
from reelflow.domain.upload_session import ENDED, SWEPT_AFTER
from reelflow.ledger import upload_sessions
from reelflow.ledger.models import Media
from reelflow.services.uploads.going_on import going_on
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import DIRECT

#: An object is named after its upload, and so is the file that it becomes.
_NAME: Final = re.compile(rf"(?P<id>{ID_PATTERN})\.[a-z0-9]{{1,5}}")


def delete_strays(workspace: Workspace) -> list[str]:
    """Delete old objects of forms that nobody finished, or whose file was deleted since.

    A form works for its whole hour, whatever becomes of its job meanwhile; of what we store
    ourselves a row tells. So this lists the originals of jobs alone, which lie here until their
    posts are published: a thousand are one request.

    :return: their keys
    """
    before = workspace.ledger.now() - SWEPT_AFTER
    store = workspace.folders.store
    old = [info.key for info in store.list(DIRECT) if info.modified_at < before]
    with workspace.ledger.read() as session:
        strays = [key for key in old if _is_stray(session, key)]
    deleted = []
    for key in strays:
        with going_on(f"{key}, which nobody needs any more, was not deleted"):
            store.delete(key)
            deleted.append(key)
    return deleted


def _is_stray(session: Session, key: str) -> bool:
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return False
    row = upload_sessions.get(session, found["id"])
    if row is not None and row.state not in ENDED:
        return False
    media = session.get(Media, found["id"])
    return media is None or media.source_path != key or media.deleted_at is not None
