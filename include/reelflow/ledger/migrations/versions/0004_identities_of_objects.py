"""Files are known by the store's identity of them, which a bucket has as well as a folder."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text()


def upgrade() -> None:
    """Apply."""
    op.drop_index("uq_media_unmoved", "media")
    # A default, because SQLite adds no other column that is never null, and cannot make a table
    # anew that others point to.
    op.add_column(
        "media",
        sa.Column("inbox_identity", sa.String(1024), nullable=False, server_default="unknown"),
    )
    op.add_column("media", sa.Column("source_identity", sa.String(1024)))
    media = sa.table(
        "media",
        *(
            sa.column(name)
            for name in (
                "inbox_identity",
                "source_identity",
                "moved_at",
                "inbox_inode",
                "size_bytes",
                "mtime_ns",
            )
        ),
    )
    numbers = (media.c.inbox_inode, media.c.size_bytes, media.c.mtime_ns)
    inode, size_bytes, mtime_ns = (sa.cast(number, _TEXT) for number in numbers)
    identity = inode + "-" + size_bytes + "-" + mtime_ns
    op.execute(media.update().values(inbox_identity=identity))
    # A rename kept all three.
    op.execute(media.update().where(media.c.moved_at.is_not(None)).values(source_identity=identity))
    op.drop_column("media", "inbox_inode")
    op.drop_column("media", "mtime_ns")
    op.create_index(
        "uq_media_unmoved",
        "media",
        ["inbox_path", "inbox_identity"],
        unique=True,
        sqlite_where=sa.text("moved_at IS NULL"),
        postgresql_where=sa.text("moved_at IS NULL"),
    )
