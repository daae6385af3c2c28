"""Alembic's entry: runs the migrations on the connection that ``ledger.engine.upgrade`` opened."""

from alembic import context

from reelflow.ledger.intake_models import UploadSession

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=UploadSession.metadata,  # every table's: this module loads the other one
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
