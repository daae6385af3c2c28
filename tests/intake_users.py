"""Users of the intake, what they may upload, and what they uploaded."""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

from reelflow.domain.user import Scope, User
from reelflow.ledger import quotas
from reelflow.ledger.models import Media
from reelflow.services.intake.submit import new_media
from reelflow.services.workspace import Workspace

ANN: Final = User("ann", "ann", frozenset({Scope.READ, Scope.WRITE}))
BOB: Final = User("bob", "bob", frozenset({Scope.READ, Scope.WRITE}))
ADMIN: Final = User("root", "root", frozenset({Scope.ADMIN}))


def limit_user(
    workspace: Workspace,
    user_id: str = "anna",
    *,
    uploads_per_day: int | None = None,
    bytes_per_day: int | None = None,
) -> None:
    """Let a user upload so much a day; None is no limit."""
    with workspace.ledger.write() as session:
        quotas.store(
            session,
            user_id,
            uploads_per_day=uploads_per_day,
            bytes_per_day=bytes_per_day,
            now=workspace.ledger.now(),
            actor="tests",
        )


def upload(
    workspace: Workspace,
    user: User = ANN,
    *,
    content: bytes | None = None,
    file_name: str = "clip.mp4",
    sha256: str | None = None,
    declared: bool = False,
    by_form: bool = False,
) -> Media:
    """Store a file, and write it down as a finished upload does.

    :param content: new bytes when left out
    :param sha256: what its sender declares
    :param declared: its sender declares what it really has
    :param by_form: it came straight into the bucket
    """
    media_id = uuid.uuid4().hex
    content = media_id.encode() if content is None else content
    key = f"media/{media_id}.{file_name.rpartition('.')[2]}"
    stored = workspace.folders.store.put(key, content, size_bytes=len(content))
    with workspace.ledger.write() as session:
        return new_media(
            session,
            media_id=media_id,
            user=user,
            file_name=file_name,
            key=key,
            identity=stored.identity,
            size_bytes=len(content),
            declared_sha256=hashlib.sha256(content).hexdigest() if declared else sha256,
            now=workspace.ledger.now(),
            by_form=by_form,
        )
