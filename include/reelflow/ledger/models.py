"""The tables of accounts, media and posts. Times are UTC; secrets are stored encrypted only."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.approval import ApprovalPolicy, TimeoutAction
from reelflow.domain.post import UNKEYED, PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.domain.user import USER_ID_MAX_CHARS
from reelflow.ledger.stored_types import StoredByValue, StoredJson, UtcDateTime

#: Longest reason code that is kept.
CODE_MAX_CHARS: Final = 64
#: Longest identity of an object: versions of S3 may have 1024 bytes.
IDENTITY_MAX_CHARS: Final = 1024


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UtcDateTime,
        dict[str, Any]: StoredJson(dict),
        list[dict[str, str]]: StoredJson(list),
        list[dict[str, Any]]: StoredJson(list),
        PostState: StoredByValue(PostState, 20),
        list[float]: StoredJson(list),
        list[list[float]]: StoredJson(list),
        PostMode: StoredByValue(PostMode, 10),
        PostKind: StoredByValue(PostKind, 10),
        PublicationState: StoredByValue(PublicationState, 20),
        MediaSource: StoredByValue(MediaSource, 16),
        AnalysisPolicy: StoredByValue(AnalysisPolicy, 10),
        AnalysisEngine: StoredByValue(AnalysisEngine, 16),
        ApprovalPolicy: StoredByValue(ApprovalPolicy, 16),
        TimeoutAction: StoredByValue(TimeoutAction, 10),
    }


class Account(Base):
    """A TikTok account that gave this app access. ``open_id`` is who it is; ``name`` its folder.

    ``token_version`` rises whenever its tokens change, at ``tokens_stored_at``;
    ``refreshing_until`` says that a process is refreshing them now. ``scopes`` is what the creator
    granted, None where that is not known. ``approval_timeout_h`` is how long a question about one
    of its posts waits, None for as long as the settings say.
    """

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    open_id: Mapped[str] = mapped_column(String(128), unique=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    revoked: Mapped[bool] = mapped_column(default=False)
    inbox_privacy_level: Mapped[str | None] = mapped_column(String(32))
    access_token_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    refresh_token_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    access_token_expires_at: Mapped[datetime | None]
    refresh_token_expires_at: Mapped[datetime | None]
    refreshing_until: Mapped[datetime | None]
    token_version: Mapped[int] = mapped_column(default=0, server_default="0")
    tokens_stored_at: Mapped[datetime | None]
    scopes: Mapped[str | None] = mapped_column(Text)
    username: Mapped[str | None] = mapped_column(String(64))
    display_name: Mapped[str | None] = mapped_column(String(255))
    revoked_because: Mapped[str | None] = mapped_column(Text)
    video_source: Mapped[MediaSource] = mapped_column(
        default=MediaSource.FILE_UPLOAD, server_default="FILE_UPLOAD"
    )
    analysis_policy: Mapped[AnalysisPolicy] = mapped_column(
        default=AnalysisPolicy.IGNORE, server_default="ignore"
    )
    analysis_engine: Mapped[AnalysisEngine] = mapped_column(
        default=AnalysisEngine.PROVENANCE, server_default="provenance"
    )
    analysis_model_type: Mapped[str] = mapped_column(
        String(32), default="provenance", server_default="provenance"
    )
    approval_policy: Mapped[ApprovalPolicy] = mapped_column(
        default=ApprovalPolicy.ON_REQUEST, server_default="on-request"
    )
    approval_timeout_h: Mapped[float | None]
    approval_on_timeout: Mapped[TimeoutAction] = mapped_column(
        default=TimeoutAction.HOLD, server_default="hold"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


_UNPICTURED = "(candidates IS NULL OR thumbnail_path IS NULL) AND deleted_at IS NULL"


class Media(Base):
    """One file: where it came from, where it lies, and what was found in it.

    Paths are keys of the store. ``inbox_*`` say which inbox file the row stands for, so that a
    crash between registering and moving is finished and never registered twice, or by which way an
    upload came; ``source_identity`` says which content lies at ``source_path``, None while that is
    not known.
    ``prepared_*`` are of the copy of a photo that TikTok gets in its place, None where it gets the
    file itself. ``candidates`` are the pictures of a video that a person may choose its cover from:
    ``at_ms`` and ``key`` of each, [] where there are none to choose from.
    From ``deleted_at`` on no post takes it; while there is ``deleting_since``, something of it may
    still lie in the store.
    ``user_id`` is who uploaded it, None for what came by the inbox. ``awaited`` says that the row
    stands for a file which is still to come. ``declared_sha256`` is what its sender says it has.
    """

    __tablename__ = "media"
    __table_args__ = (
        Index("uq_media_unmoved", "inbox_path", "inbox_identity", unique=True,
              sqlite_where=text("moved_at IS NULL"), postgresql_where=text("moved_at IS NULL")),
        Index("ix_media_unvalidated", "id", sqlite_where=text("validated_at IS NULL"),
              postgresql_where=text("validated_at IS NULL")),
        Index("ix_media_unpictured", "id",
              sqlite_where=text(_UNPICTURED), postgresql_where=text(_UNPICTURED)),
        Index("ix_media_deleting", "id", sqlite_where=text("deleting_since IS NOT NULL"),
              postgresql_where=text("deleting_since IS NOT NULL")),
        Index("ix_media_user", "user_id", "created_at"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    file_name: Mapped[str] = mapped_column(String(255))
    inbox_path: Mapped[str] = mapped_column(Text)
    inbox_identity: Mapped[str] = mapped_column(
        String(IDENTITY_MAX_CHARS), server_default="unknown"
    )
    source_path: Mapped[str] = mapped_column(Text)
    source_identity: Mapped[str | None] = mapped_column(String(IDENTITY_MAX_CHARS))
    moved_at: Mapped[datetime | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
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
    prepared_path: Mapped[str | None] = mapped_column(Text)
    prepared_identity: Mapped[str | None] = mapped_column(String(IDENTITY_MAX_CHARS))
    prepared_facts: Mapped[dict[str, Any] | None]
    thumbnail_path: Mapped[str | None] = mapped_column(Text)
    candidates: Mapped[list[dict[str, Any]] | None]
    deleted_at: Mapped[datetime | None]
    deleting_since: Mapped[datetime | None]
    user_id: Mapped[str | None] = mapped_column(String(USER_ID_MAX_CHARS))
    declared_sha256: Mapped[str | None] = mapped_column(String(64))
    awaited: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]


_KEYED = "sha256 IS NOT NULL AND state NOT IN ({})".format(
    ", ".join(f"'{state}'" for state in sorted(UNKEYED))
)


class Post(Base):
    """One wish to publish media to one account, and how far it came.

    ``wanted_interactions`` names, comma-separated, what the post asked to allow, beyond taking what
    the creator's settings are.
    ``claimed_by`` is advisory (which run works on it); ``lease_*`` and ``fencing_token`` guard the
    upload: every step of an upload names the token it was given, and a newer one stops it.
    ``announced_at`` and ``source_settled_at`` (its source deleted, or in the quarantine) say what
    its end left to do.
    ``user_id`` is whose post it is, None for what came by the inbox; one that ``wants_approval``
    waits for a person before it goes, and from ``approved_at`` on one let it go as it is.
    """

    __tablename__ = "posts"
    __table_args__ = (
        Index("uq_posts_content", "account_id", "sha256", "slot", unique=True,
              sqlite_where=text(_KEYED), postgresql_where=text(_KEYED)),
        # Each account's next due post, the missed ones and the stalled ones are few among many
        # that ended: every index but those of identity begins with the state.
        Index("ix_posts_state_account_due", "state", "account_id", "due_at", "id"),
        Index("ix_posts_state_due", "state", "due_at", "id"),
        Index("ix_posts_state_claimed", "state", "claimed_until",
              sqlite_where=text("claimed_until IS NOT NULL"),
              postgresql_where=text("claimed_until IS NOT NULL")),
        Index("ix_posts_state_wished", "state", "publish_at", "created_at"),
        Index("ix_posts_account_content", "account_id", "sha256", "slot"),
        Index("ix_posts_user", "user_id", "id"),
        Index("ix_posts_unannounced", "state",
              sqlite_where=text("announced_at IS NULL"),
              postgresql_where=text("announced_at IS NULL")),
        Index("ix_posts_source_kept", "state",
              sqlite_where=text("source_settled_at IS NULL"),
              postgresql_where=text("source_settled_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id"), index=True)
    state: Mapped[PostState]
    reason: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str | None] = mapped_column(String(CODE_MAX_CHARS))
    fix: Mapped[str | None] = mapped_column(Text)
    state_since: Mapped[datetime]
    sha256: Mapped[str | None] = mapped_column(String(64))
    slot: Mapped[int] = mapped_column(default=0)

    kind: Mapped[PostKind] = mapped_column(default=PostKind.VIDEO, server_default="video")
    title: Mapped[str | None] = mapped_column(Text)
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
    wanted_interactions: Mapped[str | None] = mapped_column(String(32))
    auto_add_music: Mapped[bool] = mapped_column(default=False, server_default=false())
    photo_cover_index: Mapped[int] = mapped_column(default=0, server_default="0")
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
    cancel_requested_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    source_settled_at: Mapped[datetime | None]
    user_id: Mapped[str | None] = mapped_column(String(USER_ID_MAX_CHARS))
    wants_approval: Mapped[bool] = mapped_column(default=False, server_default=false())
    approved_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
    media: Mapped[Media] = relationship(lazy="joined", innerjoin=True)


class PhotoImage(Base):
    """One image of a photo post, in its order; the post's own ``media`` is the first of them."""

    __tablename__ = "photo_images"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id"), index=True)

    media: Mapped[Media] = relationship(lazy="joined", innerjoin=True)


class Verdict(Base):
    """What one model of one engine says of a file; begun when there is no verdict yet.

    ``analysis_id`` is of an analysis that goes on at the engine; ``refused_because`` says why there
    never will be a verdict. A person's approval is of this verdict alone: another one ends it.
    """

    __tablename__ = "verdicts"
    __table_args__ = (UniqueConstraint("media_id", "engine", "model_type"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id"))
    engine: Mapped[AnalysisEngine]
    model_type: Mapped[str] = mapped_column(String(32))
    analysis_id: Mapped[str | None] = mapped_column(String(128))
    started_at: Mapped[datetime]
    found_at: Mapped[datetime | None]
    verdict_id: Mapped[str | None] = mapped_column(String(128))
    is_fake: Mapped[bool | None]
    confidence: Mapped[float | None]
    seconds: Mapped[float | None]
    details: Mapped[dict[str, Any] | None]
    refused_because: Mapped[str | None] = mapped_column(Text)
    approved_by: Mapped[str | None] = mapped_column(String(512))
    approved_at: Mapped[datetime | None]

    media: Mapped[Media] = relationship(lazy="joined", innerjoin=True)


class Publication(Base):
    """One init at TikTok for a post; at most one is current.

    ``acknowledged_bytes`` is what TikTok said it holds, never what was sent. One whose ``source``
    is PULL_FROM_URL has no upload URL and no chunks, and is COMMITTING before its init is sent.
    """

    __tablename__ = "publications"
    __table_args__ = (
        UniqueConstraint("post_id", "ordinal"),
        Index("uq_publications_current", "post_id", unique=True,
              sqlite_where=text("is_current"), postgresql_where=text("is_current")),
        Index("ix_publications_state_expires", "state", "url_expires_at"),
        Index("ix_publications_tiktok_post_id", "tiktok_post_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    ordinal: Mapped[int]
    is_current: Mapped[bool] = mapped_column(default=True)
    state: Mapped[PublicationState]
    source: Mapped[MediaSource] = mapped_column(
        default=MediaSource.FILE_UPLOAD, server_default="FILE_UPLOAD"
    )
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
    created_at: Mapped[datetime] = mapped_column(index=True)


class BatchEntry(Base):
    """One post of a run's batch; kept, so that a cleared run gets the same posts again.

    Of runs that prepare media, until another cover of the post is chosen.
    """

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("run_id", "post_id"),)

    run_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    created_at: Mapped[datetime]


class AuditEntry(Base):
    """One step of a post: who or which run, when, from, to, why. Rows are only ever added.

    ``trouble`` is what in ``why`` only those who run Reelflow may read: it may name its places.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    publication_id: Mapped[int | None] = mapped_column(ForeignKey("publications.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(512))
    from_state: Mapped[str | None] = mapped_column(String(20))
    to_state: Mapped[str | None] = mapped_column(String(20))
    why: Mapped[str] = mapped_column(Text)
    trouble: Mapped[str | None] = mapped_column(Text)
