"""What tests of uploads in chunks are made of: bytes that look like a video, a user's uploads."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from reelflow.domain.content_types import MediaType
from reelflow.domain.upload_session import CHUNK_MIN_BYTES, SessionState
from reelflow.domain.user import Scope, User
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.services.uploads.chunked.announcement import Announcement
from reelflow.services.uploads.chunked.chunks import ReceivedChunk, receive_chunk
from reelflow.services.uploads.chunked.finalize import Finished, PostWanted, finalize
from reelflow.services.uploads.chunked.opening import open_session
from reelflow.services.uploads.chunked.sessions import UploadStatus, status_of
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder

ANNA = User("anna", "anna", frozenset({Scope.READ, Scope.WRITE}))
BEN = User("ben", "ben", frozenset({Scope.READ, Scope.WRITE}))
ROOT = User("root", "root", frozenset({Scope.ADMIN}))

CHUNK = CHUNK_MIN_BYTES
_MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
WISH = {"account": "acme", "caption": "dawn", "privacy_level": "SELF_ONLY"}


def video_like(size_bytes: int, *, seed: int = 0) -> bytes:
    """Return bytes that begin as an MP4 does; nothing can be decoded of them."""
    return (_MP4 + random.Random(seed).randbytes(max(0, size_bytes - len(_MP4))))[:size_bytes]


@dataclass
class Uploads:
    """The uploads of one user, and what is left of them in ledger and folder."""

    workspace: Workspace
    user: User = ANNA

    def open(self, content: bytes | int, **announced: Any) -> str:
        """Announce a file of this content, or size; return the upload's id."""
        size_bytes = content if isinstance(content, int) else len(content)
        wanted = {
            "file_name": "clip.mp4",
            "content_type": "video/mp4",
            "media_type": MediaType.VIDEO,
            "chunk_size_bytes": CHUNK,
            **announced,
        }
        return open_session(
            self.workspace, self.user, Announcement(size_bytes=size_bytes, **wanted)
        ).id

    def send(
        self,
        upload_id: str,
        index: int,
        chunk: bytes,
        *,
        sha256: str | None = None,
        is_announced: bool = True,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> ReceivedChunk:
        """Send one chunk, in two blocks.

        :param is_announced: whether its size is told before
        :param meanwhile: happens before it is committed
        """
        size_bytes = len(chunk) if is_announced else None
        with receive_chunk(
            self.workspace, self.user, upload_id, index, size_bytes=size_bytes, sha256=sha256
        ) as incoming:
            half = len(chunk) // 2
            incoming.write(chunk[:half])
            incoming.write(chunk[half:])
            meanwhile()
            return incoming.commit()

    def send_all(self, upload_id: str, content: bytes, *, but: Sequence[int] = ()) -> None:
        for index, offset in enumerate(range(0, len(content), CHUNK)):
            if index not in but:
                self.send(upload_id, index, content[offset : offset + CHUNK])

    def sent(self, content: bytes, **announced: Any) -> str:
        """Announce a file and send all of it; return the upload's id."""
        upload_id = self.open(content, **announced)
        self.send_all(upload_id, content)
        return upload_id

    def finalize(self, upload_id: str, **wanted: Any) -> Finished:
        """Finish an upload, with the post that it was announced with unless another is wanted."""
        said = PostWanted(**wanted) if wanted else None
        return finalize(self.workspace, self.user, upload_id, said)

    def status(self, upload_id: str) -> UploadStatus:
        return status_of(self.workspace, self.user, upload_id)

    def row(self, upload_id: str) -> UploadSession | None:
        """Return the session as the ledger has it."""
        with self.workspace.ledger.read() as session:
            return upload_sessions.get(session, upload_id)

    def state(self, upload_id: str) -> SessionState | None:
        row = self.row(upload_id)
        return None if row is None else row.state

    def change(self, upload_id: str, **values: Any) -> None:
        """Change a session behind the back of the services, as a process that died would."""
        with self.workspace.ledger.write() as session:
            session.execute(
                update(UploadSession).where(UploadSession.id == upload_id).values(**values)
            )

    def use(self, user: User = ANNA) -> tuple[int, int, int, int]:
        """Return a user's uploads and bytes, taken and reserved, of all days."""
        columns = (
            QuotaUse.uploads,
            QuotaUse.bytes,
            QuotaUse.reserved_uploads,
            QuotaUse.reserved_bytes,
        )
        with self.workspace.ledger.read() as session:
            sums = session.execute(
                select(*(func.coalesce(func.sum(column), 0) for column in columns)).where(
                    QuotaUse.user_id == user.id
                )
            ).one()
        return (int(sums[0]), int(sums[1]), int(sums[2]), int(sums[3]))

    def count(self, table: type[Media | Post | UploadSession]) -> int:
        with self.workspace.ledger.read() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def stored(self) -> list[str]:
        """Return what lies in the data folder: files that are whole, and parts of uploads."""
        root = data_folder(self.workspace).root
        folders = (root / "media", root / ".uploads")
        return sorted(
            str(path.relative_to(root)) for folder in folders for path in folder.glob("*")
        )
