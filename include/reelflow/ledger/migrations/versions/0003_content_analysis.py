"""Content analysis: what an account wants, and the verdicts on its files."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    for name, length, default in (
        ("analysis_policy", 10, "ignore"),
        ("analysis_engine", 16, "provenance"),
        ("analysis_model_type", 32, "provenance"),
    ):
        op.add_column(
            "accounts",
            sa.Column(name, sa.String(length), nullable=False, server_default=default),
        )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("media_id", sa.String(32), sa.ForeignKey("media.id"), nullable=False),
        sa.Column("engine", sa.String(16), nullable=False),
        sa.Column("model_type", sa.String(32), nullable=False),
        sa.Column("analysis_id", sa.String(128)),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("found_at", _TIME),
        sa.Column("verdict_id", sa.String(128)),
        sa.Column("is_fake", sa.Boolean()),
        sa.Column("confidence", sa.Double()),
        sa.Column("seconds", sa.Double()),
        sa.Column("details", sa.JSON()),
        sa.Column("refused_because", sa.Text()),
        sa.Column("approved_by", sa.String(512)),
        sa.Column("approved_at", _TIME),
        sa.UniqueConstraint("media_id", "engine", "model_type"),
    )
