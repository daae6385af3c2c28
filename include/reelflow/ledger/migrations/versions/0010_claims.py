"""What runs have in hand, without a look at what is due."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_posts_state_claimed",
        "posts",
        ["state", "claimed_until"],
        sqlite_where=sa.text("claimed_until IS NOT NULL"),
        postgresql_where=sa.text("claimed_until IS NOT NULL"),
    )
