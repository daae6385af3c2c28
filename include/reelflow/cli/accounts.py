"""``reelflow accounts``: the TikTok accounts that may be posted to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reelflow.cli.screen import console, plain, print_json, screen_safe, table
from reelflow.cli.workspace import open_workspace
from reelflow.domain.post import PostState, PrivacyLevel
from reelflow.exceptions import ConfigurationError

if TYPE_CHECKING:
    from reelflow.ledger.models import Account
    from reelflow.services.workspace import Workspace

app = typer.Typer(no_args_is_help=True)

_TOKEN_FILE_HELP = "File that holds the account's access token alone; - is stdin."  # noqa: S105


@app.callback()
def accounts() -> None:
    """Add, list and change the TikTok accounts that may be posted to."""


@app.command()
def add(
    name: str = typer.Argument(
        metavar="NAME", help="Its name here and of its inbox folder: a-z 0-9 . _ -"
    ),
    open_id: str = typer.Option(..., help="TikTok's open_id of the account."),
    inbox_privacy: PrivacyLevel | None = typer.Option(
        None,
        metavar="LEVEL",
        case_sensitive=False,
        help=f"Privacy of inbox files without one of their own: {', '.join(PrivacyLevel)}.",
    ),
    access_token_file: Path | None = typer.Option(None, metavar="FILE", help=_TOKEN_FILE_HELP),
) -> None:
    """Add an account, or give the one with this open_id a new name and token.

    The token comes from a file, from stdin when that is a pipe, or from a hidden prompt; never
    from the command line, which other users of the machine can see.
    """
    from reelflow.cli.access_token import read_access_token
    from reelflow.ledger import accounts as ledger_accounts

    workspace = open_workspace()
    ledger_accounts.check_name(name)
    _check_open_id(open_id)
    token = read_access_token(access_token_file)
    with workspace.ledger.write() as session:
        old_name = {one.open_id: one.name for one in ledger_accounts.list_all(session)}.get(open_id)
        account = ledger_accounts.save(
            session,
            workspace.ledger.cipher,
            open_id=open_id,
            name=name,
            tokens=ledger_accounts.TokenSet(token),
            now=workspace.ledger.now(),
            inbox_privacy_level=inbox_privacy,
        )
    inbox = workspace.folders.create_account_inbox(name)
    typer.echo(f"Account {name} is stored. Put its files into {screen_safe(str(inbox))}")
    if old_name not in (None, name):
        typer.echo(f"It was called {old_name}: move the files that wait in inbox/{old_name}.")
    if account.inbox_privacy_level is None:
        typer.echo(
            "It has no inbox privacy: files without a privacy_level in their sidecar are held "
            f"until `reelflow posts release` or `reelflow accounts set {name} --inbox-privacy "
            "LEVEL`."
        )


@app.command("list")
def list_accounts(
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """List the accounts; tokens are never shown."""
    from reelflow.ledger import accounts as ledger_accounts

    workspace = open_workspace()
    with workspace.ledger.read() as session:
        rows = [_row(workspace, one) for one in ledger_accounts.list_all(session)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo("No accounts yet: add one with `reelflow accounts add`.")
        return
    told = table("account", "open_id", "inbox privacy", "access", "inbox")
    for row in rows:
        told.add_row(
            plain(row["name"], style="bold"),
            plain(row["open_id"]),
            plain(row["inbox_privacy_level"] or "none: held", style=_dim(row)),
            plain("revoked", style="red") if row["revoked"] else plain("granted", style="green"),
            plain(row["inbox"]),
        )
    console().print(told)


@app.command("set")
def set_account(
    name: str = typer.Argument(metavar="NAME", help="Name of the account."),
    inbox_privacy: str | None = typer.Option(
        None,
        metavar="LEVEL|none",
        help=f"Privacy of inbox files without one of their own: {', '.join(PrivacyLevel)}, or "
        "none to hold them.",
    ),
    access_token_file: Path | None = typer.Option(None, metavar="FILE", help=_TOKEN_FILE_HELP),
) -> None:
    """Change an account's inbox privacy or its access token.

    A new privacy is for files that come later. Posts that are held already stay held: a person
    releases each with `reelflow posts release`.
    """
    from reelflow.cli.access_token import read_access_token

    if inbox_privacy is None and access_token_file is None:
        raise ConfigurationError(
            "there is nothing to change: give --inbox-privacy LEVEL or --access-token-file FILE"
        )
    level = _privacy_or_none(inbox_privacy) if inbox_privacy is not None else None
    workspace = open_workspace()
    _check_exists(workspace, name)
    token = read_access_token(access_token_file) if access_token_file is not None else None
    if token is not None:
        _store_token(workspace, name, token)
        typer.echo(f"Account {name} has a new access token.")
    if inbox_privacy is not None:
        _store_privacy(workspace, name, level)
        typer.echo(f"Inbox files of {name} without a privacy level: {level or 'held'}.")
    _tell_of_held_posts(workspace, name)


def _check_open_id(open_id: str) -> None:
    if not open_id or len(open_id) > 128 or not open_id.isascii() or not open_id.isprintable():
        raise ConfigurationError(
            f"{open_id[:40]!r} is no open_id: TikTok's is 1 to 128 printable ASCII characters, "
            "given together with the access token"
        )


def _row(workspace: Workspace, account: Account) -> dict[str, Any]:
    expires_at = account.access_token_expires_at
    return {
        "name": account.name,
        "open_id": account.open_id,
        "inbox_privacy_level": account.inbox_privacy_level,
        "revoked": account.revoked,
        "access_token_expires_at": expires_at.isoformat() if expires_at else None,
        "inbox": str(workspace.folders.inbox / account.name),
    }


def _dim(row: dict[str, Any]) -> str:
    return "" if row["inbox_privacy_level"] else "dim"


def _privacy_or_none(text: str) -> PrivacyLevel | None:
    if text.lower() == "none":
        return None
    try:
        return PrivacyLevel(text.upper())
    except ValueError:
        raise ConfigurationError(
            f"{text[:40]!r} is no privacy level: use {', '.join(PrivacyLevel)} or none"
        ) from None


def _check_exists(workspace: Workspace, name: str) -> None:
    from reelflow.ledger import accounts as ledger_accounts

    with workspace.ledger.read() as session:
        ledger_accounts.by_name(session, name)


def _store_token(workspace: Workspace, name: str, token: str) -> None:
    from reelflow.ledger import accounts as ledger_accounts

    with workspace.ledger.write() as session:
        ledger_accounts.save(
            session,
            workspace.ledger.cipher,
            open_id=ledger_accounts.by_name(session, name).open_id,
            name=name,
            tokens=ledger_accounts.TokenSet(token),
            now=workspace.ledger.now(),
        )


def _store_privacy(workspace: Workspace, name: str, level: PrivacyLevel | None) -> None:
    from reelflow.ledger import accounts as ledger_accounts

    with workspace.ledger.write() as session:
        account = ledger_accounts.by_name(session, name)
        account.inbox_privacy_level = level
        account.updated_at = workspace.ledger.now()


def _tell_of_held_posts(workspace: Workspace, name: str) -> None:
    """Say which posts the change does not release: a person decides on each."""
    from reelflow.services.report import list_posts

    held = list_posts(workspace, states=[PostState.HELD], account=name)
    if held:
        ids = ", ".join(str(row["id"]) for row in held)
        typer.echo(
            f"Still held: {ids}. Release each with `reelflow posts release ID`, with --privacy "
            "LEVEL when it has no privacy level."
        )
