"""Users own media and posts; their keys, quotas and upload sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_USER_ID = sa.String(128)
_NAME = sa.String(255)


def upgrade() -> None:
    """Apply."""
    _own_media_and_posts()
    _create_keys_and_quotas()
    _create_upload_sessions()
    op.create_table(
        "chores",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("owner", _NAME, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _own_media_and_posts() -> None:
    op.add_column("media", sa.Column("user_id", _USER_ID))
    op.add_column("media", sa.Column("declared_sha256", sa.String(64)))
    op.add_column(
        "media", sa.Column("awaited", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("media", sa.Column("deleting_since", _TIME))
    op.create_index(
        "ix_media_deleting",
        "media",
        ["id"],
        sqlite_where=sa.text("deleting_since IS NOT NULL"),
        postgresql_where=sa.text("deleting_since IS NOT NULL"),
    )
    op.create_index("ix_media_user", "media", ["user_id", "created_at"])
    op.add_column("posts", sa.Column("user_id", _USER_ID))
    op.add_column(
        "posts",
        sa.Column("wants_approval", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_posts_user", "posts", ["user_id", "id"])


def _create_keys_and_quotas() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("user_id", _USER_ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", _NAME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.Column("last_used_at", _TIME),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "quotas",
        sa.Column("user_id", _USER_ID, nullable=False),
        sa.Column("uploads_per_day", sa.Integer()),
        sa.Column("bytes_per_day", sa.BigInteger()),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("updated_by", _NAME, nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "quota_uses",
        sa.Column("user_id", _USER_ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("uploads", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_uploads", sa.Integer(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "day"),
    )


def _create_upload_sessions() -> None:
    op.create_table(
        "upload_sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_since", _TIME, nullable=False),
        sa.Column("user_id", _USER_ID, nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(16), nullable=False),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("chunk_size_bytes", sa.BigInteger()),
        sa.Column("total_chunks", sa.Integer()),
        sa.Column("sha256", sa.String(64)),
        sa.Column("storage_upload_id", sa.Text()),
        sa.Column("storage_key", sa.Text()),
        sa.Column("post_id", sa.Integer()),
        sa.Column("wish", sa.JSON()),
        sa.Column("media_id", sa.String(32)),
        sa.Column("quota_day", sa.Date()),
        sa.Column("reserved_uploads", sa.Integer(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_chunk_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("error", sa.JSON()),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"]),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upload_sessions_state_expires", "upload_sessions", ["state", "expires_at"])
    op.create_index("ix_upload_sessions_user", "upload_sessions", ["user_id", "created_at"])
    op.create_index("ix_upload_sessions_post_id", "upload_sessions", ["post_id"])
    op.create_index("ix_upload_sessions_media_id", "upload_sessions", ["media_id"])
