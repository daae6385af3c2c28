"""Alembic's entry: runs the migrations on the connection that ``ledger.engine.upgrade`` opened."""

from alembic import context

from reelflow.ledger import (  # noqa: F401 - they add their tables
    approval_models,
    intake_models,
    metrics_models,
    platform_models,
)
from reelflow.ledger.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
