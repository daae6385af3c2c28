"""The tables of the ledger. Times are UTC; secrets are stored encrypted only."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from reelflow.domain.post import UNKEYED, PostMode, PostState
from reelflow.domain.publication import PublicationState


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite has no time zones, so they are dropped and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware UTC times."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _stored_by_value(values: type[StrEnum], length: int) -> Enum:
    """Store an enumeration as its plain value, so that a person can read the table."""
    return Enum(
        values,
        native_enum=False,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[dict[str, str]]: JSON,
        PostState: _stored_by_value(PostState, 20),
        PostMode: _stored_by_value(PostMode, 10),
        PublicationState: _stored_by_value(PublicationState, 20),
    }


class Account(Base):
    """A TikTok account that gave this app access. ``open_id`` is who it is; ``name`` its folder."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    open_id: Mapped[str] = mapped_column(String(128), unique=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    revoked: Mapped[bool] = mapped_column(default=False)
    inbox_privacy_level: Mapped[str | None] = mapped_column(String(32))
    access_token_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    refresh_token_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    access_token_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Media(Base):
    """One file: where it came from, where it lies, and what was found in it.

    Paths are relative to the data folder. ``inbox_*`` say which inbox file the row stands for, so
    that a crash between registering and moving is finished and never registered twice.
    """

    __tablename__ = "media"
    __table_args__ = (
        Index("uq_media_unmoved", "inbox_path", "inbox_inode", unique=True,
              sqlite_where=text("moved_at IS NULL"), postgresql_where=text("moved_at IS NULL")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    file_name: Mapped[str] = mapped_column(String(255))
    inbox_path: Mapped[str] = mapped_column(Text)
    inbox_inode: Mapped[int] = mapped_column(BigInteger)
    source_path: Mapped[str] = mapped_column(Text)
    moved_at: Mapped[datetime | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict[str, Any] | None]
    violations: Mapped[list[dict[str, str]] | None]
    validated_at: Mapped[datetime | None]
    container: Mapped[str | None] = mapped_column(String(32))
    duration_s: Mapped[float | None]
    display_width: Mapped[int | None]
    display_height: Mapped[int | None]
    video_codec: Mapped[str | None] = mapped_column(String(32))
    average_frame_rate: Mapped[float | None]
    extracted_at: Mapped[datetime | None]
    thumbnail_path: Mapped[str | None] = mapped_column(Text)
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


_KEYED = "sha256 IS NOT NULL AND state NOT IN ({})".format(
    ", ".join(f"'{state}'" for state in sorted(UNKEYED))
)


class Post(Base):
    """One wish to publish media to one account, and how far it came.

    ``claimed_by`` is advisory (which run works on it); ``lease_*`` and ``fencing_token`` guard the
    upload: every step of an upload names the token it was given, and a newer one stops it.
    """

    __tablename__ = "posts"
    __table_args__ = (
        Index("uq_posts_content", "account_id", "sha256", "slot", unique=True,
              sqlite_where=text(_KEYED), postgresql_where=text(_KEYED)),
        Index("ix_posts_state_due", "state", "due_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id"), index=True)
    state: Mapped[PostState]
    reason: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str | None] = mapped_column(String(64))
    fix: Mapped[str | None] = mapped_column(Text)
    state_since: Mapped[datetime]
    sha256: Mapped[str | None] = mapped_column(String(64))
    slot: Mapped[int] = mapped_column(default=0)

    caption: Mapped[str] = mapped_column(Text)
    privacy_level: Mapped[str | None] = mapped_column(String(32))
    mode: Mapped[PostMode]
    disable_comment: Mapped[bool]
    disable_duet: Mapped[bool]
    disable_stitch: Mapped[bool]
    brand_content_toggle: Mapped[bool]
    brand_organic_toggle: Mapped[bool]
    is_aigc: Mapped[bool]
    cover_timestamp_ms: Mapped[int | None]
    repost: Mapped[bool]

    publish_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    rescheduled_because: Mapped[str | None] = mapped_column(Text)
    claimed_by: Mapped[str | None] = mapped_column(String(250))
    claimed_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(512))
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int] = mapped_column(default=0)
    upload_failures: Mapped[int] = mapped_column(default=0)
    publications_forgiven: Mapped[int] = mapped_column(default=0)
    announced_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
    media: Mapped[Media] = relationship(lazy="joined", innerjoin=True)


class Publication(Base):
    """One init at TikTok for a post; at most one is current.

    ``acknowledged_bytes`` is what TikTok said it holds, never what was sent.
    """

    __tablename__ = "publications"
    __table_args__ = (
        UniqueConstraint("post_id", "ordinal"),
        Index("uq_publications_current", "post_id", unique=True,
              sqlite_where=text("is_current"), postgresql_where=text("is_current")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    ordinal: Mapped[int]
    is_current: Mapped[bool] = mapped_column(default=True)
    state: Mapped[PublicationState]
    publish_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    upload_url_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    url_expires_at: Mapped[datetime | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    chunk_size_bytes: Mapped[int] = mapped_column(BigInteger)
    total_chunks: Mapped[int]
    acknowledged_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    tiktok_status: Mapped[str | None] = mapped_column(String(64))
    tiktok_status_at: Mapped[datetime | None]
    fail_reason: Mapped[str | None] = mapped_column(String(128))
    tiktok_post_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]


class BatchEntry(Base):
    """One post of a run's batch; permanent, so that a cleared run gets the same posts again."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("run_id", "post_id"),)

    run_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    created_at: Mapped[datetime]


class AuditEntry(Base):
    """One step of a post: who or which run, when, from, to, why. Rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    publication_id: Mapped[int | None] = mapped_column(ForeignKey("publications.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(512))
    from_state: Mapped[str | None] = mapped_column(String(20))
    to_state: Mapped[str | None] = mapped_column(String(20))
    why: Mapped[str] = mapped_column(Text)
