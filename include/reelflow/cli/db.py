"""``reelflow db``: the ledger's database."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="The ledger's database.")


@app.callback()
def db() -> None:
    """Keep the ledger's database at the schema that this version needs."""


@app.command()
def upgrade() -> None:
    """Create the ledger, or bring it to this version's schema; needs no Fernet key.

    It is safe to run again: nothing happens when the schema is right. Stop Airflow before an
    upgrade from an older version.
    """
    from alembic.util import CommandError

    from reelflow.exceptions import ConfigurationError
    from reelflow.ledger import engine as database
    from reelflow.settings import Settings

    engine = database.open_engine(Settings.load().ledger_url)
    where = engine.url.render_as_string(hide_password=True)
    try:
        before = database.current_revision(engine)
        database.upgrade(engine)
    except CommandError:
        raise ConfigurationError(
            f"the ledger {where} is at revision {before}, which this version does not know (it "
            f"needs {database.REVISION}): install the newer Reelflow that upgraded it"
        ) from None
    if before == database.REVISION:
        typer.echo(f"The ledger {where} was at revision {database.REVISION} already.")
    else:
        typer.echo(
            f"The ledger {where} is at revision {database.REVISION} (before: {before or 'none'})."
        )
