"""``reelflow key``: the Fernet keys that encrypt tokens and upload URLs."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def key() -> None:
    """Make and change the key that encrypts tokens and upload URLs in the ledger."""


@app.command()
def generate() -> None:
    """Print a new key for REELFLOW_FERNET_KEY, and nothing else.

    Every Airflow process and every `reelflow` command needs the same one. Keep a copy: tokens
    stored with a lost key are lost.
    """
    from reelflow.ledger.cipher import generate_key

    typer.echo(generate_key())


@app.command()
def rotate() -> None:
    """Encrypt everything in the ledger with the first key of REELFLOW_FERNET_KEY.

    Give every process the new key and the old one first, `NEW,OLD`, and start it again: it then
    reads what either encrypted. Once this says that nothing was left to do, the new key alone is
    enough. It is safe to run again.
    """
    from reelflow.cli.screen import complain
    from reelflow.cli.workspace import open_workspace
    from reelflow.ledger.key_rotation import encrypt_anew

    rotation = encrypt_anew(open_workspace().ledger)
    typer.echo(
        f"Encrypted with the first key: {rotation.renewed} now, {rotation.current} were already."
    )
    if rotation.unreadable:
        complain(
            f"None of the keys opens {rotation.unreadable} more: set the key that they were stored "
            "with too, after a comma, and run this again. `reelflow doctor` names the accounts."
        )
        raise typer.Exit(1)
