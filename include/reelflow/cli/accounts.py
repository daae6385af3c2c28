"""``reelflow accounts``: the TikTok accounts that may be posted to."""

from __future__ import annotations

import typer

from reelflow.cli.accounts_access import refresh, revoke
from reelflow.cli.accounts_connect import connect
from reelflow.cli.accounts_store import add, set_account
from reelflow.cli.screen import print_json
from reelflow.cli.workspace import open_workspace

app = typer.Typer(no_args_is_help=True)


@app.callback()
def accounts() -> None:
    """Connect, list and change the TikTok accounts that may be posted to."""


app.command()(connect)
app.command()(add)


@app.command("list")
def list_accounts(
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """List the accounts; tokens are never shown."""
    from reelflow.cli.accounts_view import account_row, print_accounts
    from reelflow.cli.outage import tell_outage
    from reelflow.ledger import accounts as ledger_accounts

    workspace = open_workspace()
    with workspace.ledger.read() as session:
        rows = [account_row(workspace, one) for one in ledger_accounts.list_all(session)]
    if as_json:
        print_json(rows)
        return
    tell_outage(workspace)
    if rows:
        print_accounts(rows)
    else:
        typer.echo("No accounts yet: connect one with `reelflow accounts connect NAME`.")


app.command("set")(set_account)
app.command()(refresh)
app.command()(revoke)
