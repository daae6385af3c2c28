"""``reelflow key``: the Fernet key that encrypts tokens and upload URLs."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def key() -> None:
    """Make the key that encrypts tokens and upload URLs in the ledger."""


@app.command()
def generate() -> None:
    """Print a new key for REELFLOW_FERNET_KEY, and nothing else.

    Every Airflow process and every `reelflow` command needs the same one. Keep a copy: tokens
    stored with a lost key are lost.
    """
    from reelflow.ledger.cipher import generate_key

    typer.echo(generate_key())
