"""The tables of the intake: API keys, quotas, upload sessions, and who does chores now.

Importing them makes them known to :class:`~reelflow.ledger.models.Base`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.domain.user import USER_ID_MAX_CHARS
from reelflow.ledger.models import Base
from reelflow.ledger.stored_types import StoredByValue

#: Longest name of an API key, and of whoever made or changed something.
NAME_MAX_CHARS: Final = 255


class ApiKey(Base):
    """A key that a program shows. Of its secret the hash alone is stored.

    :ivar id: the public part of the key
    :ivar scopes: separated by commas
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(USER_ID_MAX_CHARS), index=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX_CHARS))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(NAME_MAX_CHARS))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Quota(Base):
    """What a user may upload in a day; ``*`` is who has no row of its own. None is unlimited."""

    __tablename__ = "quotas"

    user_id: Mapped[str] = mapped_column(String(USER_ID_MAX_CHARS), primary_key=True)
    uploads_per_day: Mapped[int | None]
    bytes_per_day: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(NAME_MAX_CHARS))


class QuotaUse(Base):
    """What a user uploaded on a day of UTC, and what is reserved for uploads that go on."""

    __tablename__ = "quota_uses"

    user_id: Mapped[str] = mapped_column(String(USER_ID_MAX_CHARS), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    uploads: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved_uploads: Mapped[int] = mapped_column(default=0)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class UploadSession(Base):
    """One file that is on its way to us, from its announcement to the media row it becomes.

    ``storage_upload_id`` and ``storage_key`` say what it has in the store; ``wish`` is the post
    that was asked for with it; ``reserved_*`` is what it holds of its user's quota of
    ``quota_day``. ``sha256`` is what the sender declared. ``error`` says what its end failed of.
    """

    __tablename__ = "upload_sessions"
    __table_args__ = (
        Index("ix_upload_sessions_state_expires", "state", "expires_at"),
        Index("ix_upload_sessions_user", "user_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[SessionKind] = mapped_column(StoredByValue(SessionKind, 16))
    state: Mapped[SessionState] = mapped_column(StoredByValue(SessionState, 16))
    state_since: Mapped[datetime]
    user_id: Mapped[str] = mapped_column(String(USER_ID_MAX_CHARS))
    file_name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    chunk_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    total_chunks: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    storage_upload_id: Mapped[str | None] = mapped_column(Text)
    storage_key: Mapped[str | None] = mapped_column(Text)
    post_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id"), index=True)
    wish: Mapped[dict[str, Any] | None]
    media_id: Mapped[str | None] = mapped_column(ForeignKey("media.id"), index=True)
    quota_day: Mapped[date | None] = mapped_column(Date)
    reserved_uploads: Mapped[int] = mapped_column(default=0)
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    last_chunk_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]


class Chore(Base):
    """What one of many processes does now and then, and until when nobody else does it."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(NAME_MAX_CHARS))
    until: Mapped[datetime]
