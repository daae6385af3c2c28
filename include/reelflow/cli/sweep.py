"""``reelflow sweep``: delete what nobody needs any more in the store, or tell what that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import complain, console, plain, print_json, table
from reelflow.cli.workspace import open_workspace

if TYPE_CHECKING:
    from reelflow.services.storage_sweep.sweep import StorageSweep

#: Exit code where something could not be deleted.
NOT_ALL_DELETED = 1


def sweep(
    dry_run: bool = typer.Option(False, "--dry-run", help="Delete nothing; list what would go."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Delete old objects that nothing names, and files of ended posts past their retention time.

    The DAG `sweep_storage` does the same daily. Exit code 1: something could not be deleted.
    """
    from reelflow.services.storage_sweep.sweep import sweep_storage

    done = sweep_storage(open_workspace(), actor=person(), dry_run=dry_run)
    listed = done.found if dry_run else done.deleted
    if as_json:
        files = [one.as_dict() for one in listed]
        print_json(done.as_dict() | {"dry_run": dry_run, "files": files})
    else:
        _print(done, dry_run=dry_run)
    for key, why in done.troubles.items():
        complain(f"{key} was not deleted: {why}")
    if done.troubles:
        raise typer.Exit(NOT_ALL_DELETED)


def _print(done: StorageSweep, *, dry_run: bool) -> None:
    listed = done.found if dry_run else done.deleted
    if listed:
        rows = table("key", "bytes", "reason", "since", "posts")
        for one in listed:
            posts = ", ".join(str(post_id) for post_id in one.post_ids)
            cells = (one.key, one.size_bytes, one.reason, f"{one.since:%Y-%m-%d %H:%M}", posts)
            rows.add_row(*(plain(cell) for cell in cells))
        console().print(rows)
    what = "would be deleted" if dry_run else "deleted"
    size = done.found_bytes if dry_run else done.deleted_bytes
    typer.echo(f"{len(listed)} {what}, {size} bytes.")
