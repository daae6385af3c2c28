"""What accounts want approved, who was asked, and when a post was approved."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "accounts",
        sa.Column("approval_policy", sa.String(16), nullable=False, server_default="on-request"),
    )
    op.add_column("accounts", sa.Column("approval_timeout_h", sa.Double()))
    op.add_column(
        "accounts",
        sa.Column("approval_on_timeout", sa.String(10), nullable=False, server_default="hold"),
    )
    op.add_column("posts", sa.Column("approved_at", _TIME))
    op.create_table(
        "approval_questions",
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", _TIME, nullable=False),
        sa.Column("asked_at", _TIME),
        sa.Column("expires_at", _TIME),
        sa.Column("held_since", _TIME),
        sa.Column("shown", sa.String(64)),
        sa.Column("choices", sa.JSON()),
        sa.Column("complaint", sa.Text()),
        sa.Column("ended_at", _TIME),
        sa.Column("outcome", sa.Text()),
        sa.Column("again_at", _TIME),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"]),
        sa.PrimaryKeyConstraint("run_id", "ordinal"),
    )
    op.create_index(
        "uq_approval_questions_open",
        "approval_questions",
        ["post_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_approval_questions_post", "approval_questions", ["post_id", "taken_at"])
