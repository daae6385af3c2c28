"""The tables of what passes between us and TikTok beside posts: calls, outages, consents, events.

Importing it makes them known to :class:`~reelflow.ledger.models.Base`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from reelflow.ledger.models import Base


class CallWindow(Base):
    """When an account made its latest calls of one kind, and who waits for the next ones.

    ``called_at_s`` are Unix seconds; ``queue`` is pairs of a post's id and the Unix second of the
    slot it was given, in the order of their turns.
    """

    __tablename__ = "call_windows"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    call: Mapped[str] = mapped_column(String(20), primary_key=True)
    called_at_s: Mapped[list[float]]
    queue: Mapped[list[list[float]]]
    blocked_until: Mapped[datetime | None]


class PlatformFailure(Base):
    """A call that failed for a reason of the platform's, not of the post's or the account's."""

    __tablename__ = "platform_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    code: Mapped[str] = mapped_column(String(64))


class Breaker(Base):
    """The circuit breaker before new inits: one row, ``id`` 1, while it is open."""

    __tablename__ = "breaker"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened_at: Mapped[datetime]
    why: Mapped[str] = mapped_column(Text)
    probe_at: Mapped[datetime]
    probing_until: Mapped[datetime | None]
    failed_probes: Mapped[int] = mapped_column(default=0)


class OAuthState(Base):
    """A connection that a browser was sent away for; used once, and for minutes only."""

    __tablename__ = "oauth_states"

    state_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    code_verifier_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    redirect_uri: Mapped[str] = mapped_column(String(512))
    account_name: Mapped[str] = mapped_column(String(64))
    inbox_privacy_level: Mapped[str | None] = mapped_column(String(32))
    expires_at: Mapped[datetime]


class WebhookEvent(Base):
    """One event that TikTok sent, kept until a publication it is about is known."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("ix_webhook_events_publish_id", "publish_id"),
        Index("ix_webhook_events_unapplied", "publish_id",
              sqlite_where=text("applied_at IS NULL"),
              postgresql_where=text("applied_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    event: Mapped[str] = mapped_column(String(64))
    open_id: Mapped[str] = mapped_column(String(128))
    publish_id: Mapped[str | None] = mapped_column(String(64))
    tiktok_post_id: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(String(128))
    happened_at: Mapped[datetime]
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
