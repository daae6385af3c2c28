"""The copy of a photo that TikTok takes, and the pictures of a video to choose a cover from."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNPICTURED = "(candidates IS NULL OR thumbnail_path IS NULL) AND deleted_at IS NULL"


def upgrade() -> None:
    """Apply."""
    op.add_column("media", sa.Column("prepared_path", sa.Text()))
    op.add_column("media", sa.Column("prepared_identity", sa.String(1024)))
    op.add_column("media", sa.Column("prepared_facts", sa.JSON()))
    op.add_column("media", sa.Column("candidates", sa.JSON()))
    op.create_index(
        "ix_media_unvalidated",
        "media",
        ["id"],
        sqlite_where=sa.text("validated_at IS NULL"),
        postgresql_where=sa.text("validated_at IS NULL"),
    )
    op.create_index(
        "ix_media_unpictured",
        "media",
        ["id"],
        sqlite_where=sa.text(_UNPICTURED),
        postgresql_where=sa.text(_UNPICTURED),
    )
