"""Photos, pulls, token refresh, budgets, the breaker, OAuth states and webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    _widen_accounts()
    _widen_posts()
    op.add_column(
        "publications",
        sa.Column("source", sa.String(16), nullable=False, server_default="FILE_UPLOAD"),
    )
    op.create_index("ix_publications_created_at", "publications", ["created_at"])
    _create_photo_images()
    _create_budgets()
    _create_oauth_states()
    _create_webhook_events()
    _index_what_is_left_to_do()


def _widen_accounts() -> None:
    for column in (
        sa.Column("refresh_token_expires_at", _TIME),
        sa.Column("refreshing_until", _TIME),
        sa.Column("token_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tokens_stored_at", _TIME),
        sa.Column("scopes", sa.Text()),
        sa.Column("username", sa.String(64)),
        sa.Column("display_name", sa.String(255)),
        sa.Column("revoked_because", sa.Text()),
        sa.Column("video_source", sa.String(16), nullable=False, server_default="FILE_UPLOAD"),
    ):
        op.add_column("accounts", column)


def _widen_posts() -> None:
    for column in (
        sa.Column("kind", sa.String(10), nullable=False, server_default="video"),
        sa.Column("title", sa.Text()),
        sa.Column("wanted_interactions", sa.String(32)),
        sa.Column("auto_add_music", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("photo_cover_index", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cancel_requested_at", _TIME),
        sa.Column("source_settled_at", _TIME),
    ):
        op.add_column("posts", column)


def _create_photo_images() -> None:
    op.create_table(
        "photo_images",
        sa.Column("post_id", sa.Integer(), sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("ordinal", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("media_id", sa.String(32), sa.ForeignKey("media.id"), nullable=False),
    )
    op.create_index("ix_photo_images_media_id", "photo_images", ["media_id"])


def _create_budgets() -> None:
    op.create_table(
        "call_windows",
        sa.Column("account_id", sa.Integer(), sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("call", sa.String(20), primary_key=True),
        sa.Column("called_at_s", sa.JSON(), nullable=False),
        sa.Column("queue", sa.JSON(), nullable=False),
        sa.Column("blocked_until", _TIME),
    )
    op.create_table(
        "platform_failures",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.Integer(), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
    )
    op.create_index("ix_platform_failures_at", "platform_failures", ["at"])
    op.create_table(
        "breaker",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("probe_at", _TIME, nullable=False),
        sa.Column("probing_until", _TIME),
        sa.Column("failed_probes", sa.Integer(), nullable=False),
    )


def _create_oauth_states() -> None:
    op.create_table(
        "oauth_states",
        sa.Column("state_sha256", sa.String(64), primary_key=True),
        sa.Column("code_verifier_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("redirect_uri", sa.String(512), nullable=False),
        sa.Column("account_name", sa.String(64), nullable=False),
        sa.Column("inbox_privacy_level", sa.String(32)),
        sa.Column("expires_at", _TIME, nullable=False),
    )


def _create_webhook_events() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("open_id", sa.String(128), nullable=False),
        sa.Column("publish_id", sa.String(64)),
        sa.Column("tiktok_post_id", sa.String(32)),
        sa.Column("reason", sa.String(128)),
        sa.Column("happened_at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("applied_at", _TIME),
        sa.Column("outcome", sa.Text()),
    )
    op.create_index("ix_webhook_events_publish_id", "webhook_events", ["publish_id"])
    unapplied = sa.text("applied_at IS NULL")
    op.create_index(
        "ix_webhook_events_unapplied",
        "webhook_events",
        ["publish_id"],
        sqlite_where=unapplied,
        postgresql_where=unapplied,
    )


def _index_what_is_left_to_do() -> None:
    op.drop_index("ix_posts_account_id", "posts")
    op.drop_index("ix_posts_state_due", "posts")
    op.create_index("ix_posts_account_content", "posts", ["account_id", "sha256", "slot"])
    op.create_index("ix_posts_state_due", "posts", ["state", "due_at", "id"])
    op.create_index("ix_posts_state_account_due", "posts", ["state", "account_id", "due_at", "id"])
    op.create_index("ix_posts_state_wished", "posts", ["state", "publish_at", "created_at"])
    for name, column in (
        ("ix_posts_unannounced", "announced_at"),
        ("ix_posts_source_kept", "source_settled_at"),
    ):
        empty = sa.text(f"{column} IS NULL")
        op.create_index(name, "posts", ["state"], sqlite_where=empty, postgresql_where=empty)
    op.create_index("ix_publications_state_expires", "publications", ["state", "url_expires_at"])
    op.create_index("ix_publications_tiktok_post_id", "publications", ["tiktok_post_id"])
    # What ended before this column came is not to be looked at again by every run.
    op.execute(
        "UPDATE posts SET source_settled_at = (SELECT deleted_at FROM media "
        "WHERE media.id = posts.media_id) "
        "WHERE state IN ('IN_INBOX', 'PUBLISHED', 'PUBLISHED_NO_LINK')"
    )
    op.execute(
        "UPDATE posts SET source_settled_at = state_since WHERE state = 'REJECTED' AND media_id IN "
        "(SELECT id FROM media WHERE source_path NOT LIKE 'media/%')"
    )
