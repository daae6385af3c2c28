"""``reelflow accounts refresh`` and ``revoke``: an account's access renewed or given up by hand."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

import typer

from reelflow.cli.person import person
from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.cli.workspace import open_workspace

if TYPE_CHECKING:
    from reelflow.ledger.models import Account
    from reelflow.services.workspace import Workspace

#: Logs each account that is revoked, for those who run unseen; these commands say it themselves.
_REVOCATION_LOG: Final = logging.getLogger("reelflow.services.accounts.revocation")
_REVOCATION_LOG.addHandler(logging.NullHandler())


def refresh(name: str = typer.Argument(metavar="NAME", help="Name of the account.")) -> None:
    """Renew an account's tokens now; runs do so by themselves before they expire.

    A refusal of TikTok marks the account revoked and holds its posts.
    """
    from reelflow.services.accounts.tokens import AccessTokens
    from reelflow.settings import Settings

    settings = Settings.load()
    workspace = settings.open_workspace()
    account = _account(workspace, name)
    with require_tiktok_app(os.environ).open_oauth(settings) as oauth:
        AccessTokens(workspace, oauth, actor=person()).refresh(account.id)
    renewed = _account(workspace, name)
    typer.echo(f"Account {name} has new tokens.")
    if renewed.access_token_expires_at and renewed.refresh_token_expires_at:
        typer.echo(
            f"The access token lives until {renewed.access_token_expires_at:%Y-%m-%d %H:%M} UTC, "
            f"and can be renewed until {renewed.refresh_token_expires_at:%Y-%m-%d %H:%M} UTC."
        )
    else:
        typer.echo("TikTok did not say how long they live: they are renewed when it refuses them.")


def revoke(
    name: str = typer.Argument(metavar="NAME", help="Name of the account."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    only_here: bool = typer.Option(
        False,
        "--only-here",
        help="Do not call TikTok: its app's access then stays until the creator removes it there.",
    ),
) -> None:
    """Give the access to an account up, at TikTok and here, and hold its posts.

    Posts that TikTok already has in full go on there. Connecting the account again releases those
    that are held.
    """
    from reelflow.services.accounts.revocation import mark_revoked

    workspace = open_workspace()
    account = _account(workspace, name)
    if not yes:
        typer.confirm(f"Give up the access to account {name} and hold its posts?", abort=True)
    why = f"given up by {person()} with `reelflow accounts revoke`"
    if only_here:
        held = mark_revoked(workspace, account.id, why=why, actor=person())
    else:
        held = _revoke_at_tiktok(workspace, account, why)
    typer.echo(f"Account {name} is revoked.")
    if held:
        typer.echo(
            f"Held: {', '.join(map(str, held))}. `reelflow accounts connect {name}` releases them."
        )


def _account(workspace: Workspace, name: str) -> Account:
    from reelflow.ledger import accounts

    with workspace.ledger.read() as session:
        return accounts.by_name(session, name)


def _revoke_at_tiktok(workspace: Workspace, account: Account, why: str) -> list[int]:
    from reelflow.services.accounts.tokens import AccessTokens
    from reelflow.settings import Settings

    with require_tiktok_app(os.environ).open_oauth(Settings.load()) as oauth:
        return AccessTokens(workspace, oauth, actor=person()).revoke(account.id, why=why)
