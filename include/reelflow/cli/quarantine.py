"""``reelflow quarantine``: files that validation rejected, and letting one try again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import print_json
from reelflow.cli.workspace import open_workspace
from reelflow.domain.post import PostState

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace

app = typer.Typer(no_args_is_help=True)


@app.callback()
def quarantine() -> None:
    """See the files that validation rejected, and let one try again."""


@app.command("list")
def list_files(
    account: str | None = typer.Option(None, metavar="NAME", help="Only files of this account."),
    limit: int = typer.Option(100, min=1, max=2**31 - 1, help="Most files; the newest are kept."),
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """List rejected posts with the rules that their files break, and where the files lie."""
    from reelflow.cli.posts_view import print_quarantine
    from reelflow.ledger import accounts
    from reelflow.services import report

    workspace = open_workspace()
    if account is not None:
        with workspace.ledger.read() as session:
            accounts.by_name(session, account)
    rows = report.list_posts(workspace, states=[PostState.REJECTED], account=account, limit=limit)
    rows = [{**row, "path": _path_of(workspace, row["source_path"])} for row in rows]
    if as_json:
        print_json(rows)
    else:
        print_quarantine(rows, limit=limit)


def _path_of(workspace: Workspace, key: str | None) -> str | None:
    """Return where a rejected file lies; None of one that was gone, or is not moved yet."""
    from reelflow.storage.folders import QUARANTINE

    is_there = key is not None and key.startswith(f"{QUARANTINE}/")
    return workspace.folders.store.shown(str(key)) if is_there else None


@app.command()
def release(
    post_id: int = typer.Argument(
        metavar="ID", help="Id of the post, from `reelflow quarantine list`.", min=1, max=2**31 - 1
    ),
) -> None:
    """Bring a rejected post's file back and validate it again, after the rule or file changed.

    The same as `reelflow posts retry` for a rejected post.
    """
    from reelflow.exceptions import IllegalTransitionError
    from reelflow.ledger import posts
    from reelflow.services.steering import commands

    workspace = open_workspace()
    with workspace.ledger.read() as session:
        state = posts.get(session, post_id).state
    if state is not PostState.REJECTED:
        raise IllegalTransitionError(
            f"post {post_id} is {state}: only a REJECTED one has a file in the quarantine"
        )
    post = commands.retry(workspace, post_id, actor=person())
    typer.echo(f"Post {post.id} is {post.state}, due {post.due_at:%Y-%m-%d %H:%M} UTC.")
