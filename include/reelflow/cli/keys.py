"""``reelflow keys``: the API keys by which programs upload and post."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import complain, console, plain, print_json, table
from reelflow.cli.workspace import open_workspace
from reelflow.domain.user import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from reelflow.ledger.intake_models import ApiKey

_DAYS_MAX = 3660

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make, list and revoke the API keys by which programs upload and post."""


@app.command()
def create(
    user: str = typer.Argument(
        metavar="USER", help="Whom it stands for: who uploads with it sees that user's own."
    ),
    name: str = typer.Option("", help="What it is for, such as the program's name."),
    scope: list[Scope] = typer.Option(
        [Scope.WRITE], help="What it allows: write includes read, admin includes both."
    ),
    days: int | None = typer.Option(
        None, min=1, max=_DAYS_MAX, help="How long it works; without it, until it is revoked."
    ),
) -> None:
    """Print a new key, and nothing else on stdout. It is shown this once: no one can read it later.

    Programs send it as `Authorization: Bearer KEY` to the address of `reelflow serve`.
    """
    from reelflow.services.api_keys import create_key

    workspace = open_workspace()
    expires_at = None if days is None else workspace.ledger.now() + timedelta(days=days)
    row, token = create_key(workspace, user, name, frozenset(scope), expires_at, person())
    complain(f"Key {row.id} of {row.user_id} may {row.scopes}; `reelflow keys revoke {row.id}`.")
    typer.echo(token)


@app.command("list")
def list_keys(
    user: str | None = typer.Option(None, metavar="USER", help="Only keys of this user."),
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """List the keys, those that ended too; the secret parts are stored nowhere."""
    from reelflow.ledger import api_keys

    workspace = open_workspace()
    with workspace.ledger.read() as session:
        rows = api_keys.listed(session, user_id=user)
    now = workspace.ledger.now()
    if as_json:
        print_json([_json_row(row, now) for row in rows])
    elif not rows:
        typer.echo("No keys yet: make one with `reelflow keys create USER`.")
    else:
        shown = table("id", "user", "name", "scopes", "state", "last used")
        for row in rows:
            used = row.last_used_at and f"{row.last_used_at:%Y-%m-%d %H:%M}"
            cells = (row.id, row.user_id, row.name, row.scopes, _state(row, now), used or "never")
            shown.add_row(*(plain(cell) for cell in cells))
        console().print(shown)


@app.command()
def revoke(
    key_id: str = typer.Argument(metavar="ID", help="Id of the key, from `reelflow keys list`."),
) -> None:
    """Take a key away for good, from the next request on; what was uploaded by it stays."""
    from reelflow.services.api_keys import revoke_key

    row = revoke_key(open_workspace(), key_id)
    typer.echo(f"Key {row.id} of {row.user_id} works no more.")


def _state(row: ApiKey, now: datetime) -> str:
    from reelflow.services.api_keys import is_valid

    if is_valid(row, now):
        return f"until {row.expires_at:%Y-%m-%d %H:%M}" if row.expires_at else "works"
    return "revoked" if row.revoked_at else "expired"


def _json_row(row: ApiKey, now: datetime) -> dict[str, object]:
    times = {
        name: time.isoformat() if (time := getattr(row, name)) else None
        for name in ("created_at", "expires_at", "revoked_at", "last_used_at")
    }
    return {
        "id": row.id,
        "user_id": row.user_id,
        "name": row.name,
        "scopes": row.scopes.split(","),
        "state": _state(row, now),
        "created_by": row.created_by,
        **times,
    }
