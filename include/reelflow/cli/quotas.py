"""``reelflow quotas``: what users may upload in a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import console, plain, print_json, table
from reelflow.cli.workspace import open_workspace

if TYPE_CHECKING:
    from reelflow.services.quotas import QuotaLeft

_MIB = 1024 * 1024
#: As many as the ledger can count.
_UPLOADS_MAX = 2**31 - 1
_MIB_MAX = 2**43 - 1

app = typer.Typer(no_args_is_help=True)


@app.callback()
def quotas() -> None:
    """Set and show what users may upload in a day of UTC; without a quota there is no limit."""


@app.command("set")
def set_quota(
    user: str = typer.Argument(metavar="USER", help="Or * for everybody who has no own quota."),
    uploads: int | None = typer.Option(
        None, min=0, max=_UPLOADS_MAX, help="Most uploads a day; without it, no limit."
    ),
    mib: int | None = typer.Option(
        None, min=0, max=_MIB_MAX, help="Most MiB a day together; without it, no limit."
    ),
    as_everybody: bool = typer.Option(
        False, "--as-everybody", help="Take the user's own quota away, so that * applies."
    ),
) -> None:
    """Set a user's quota in place of what it was; what was uploaded today counts."""
    from reelflow.domain.user import check_user_id
    from reelflow.ledger import quotas as ledger_quotas

    if as_everybody and (uploads is not None or mib is not None):
        raise typer.BadParameter("say either --as-everybody, or the quota's numbers")
    check_user_id(user)
    workspace = open_workspace()
    with workspace.ledger.write() as session:
        if as_everybody:
            ledger_quotas.forget(session, user)
        else:
            ledger_quotas.store(
                session,
                user,
                uploads_per_day=uploads,
                bytes_per_day=None if mib is None else mib * _MIB,
                now=workspace.ledger.now(),
                actor=person(),
            )
    if as_everybody:
        typer.echo(f"{user} has no quota of its own any more.")
    else:
        typer.echo(f"{user}: {_limit(uploads, 'uploads')} and {_limit(mib, 'MiB')} a day.")


@app.command()
def show(
    user: str | None = typer.Argument(None, metavar="USER", help="Whose; all quotas without it."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the quotas, or what is left to a user today."""
    from reelflow.domain.user import check_user_id
    from reelflow.ledger import quotas as ledger_quotas
    from reelflow.services.quotas import left

    workspace = open_workspace()
    if user is not None:
        check_user_id(user)
        with workspace.ledger.read() as session:
            found = left(session, user, workspace.ledger.now())
        if as_json:
            print_json({"user_id": user, **_left_row(found)})
        else:
            _print_left(user, found)
        return
    with workspace.ledger.read() as session:
        rows = [
            {
                "user_id": row.user_id,
                "uploads_per_day": row.uploads_per_day,
                "bytes_per_day": row.bytes_per_day,
                "updated_at": row.updated_at.isoformat(),
                "updated_by": row.updated_by,
            }
            for row in ledger_quotas.listed(session)
        ]
    if as_json:
        print_json(rows)
    elif rows:
        _print_quotas(rows)
    else:
        typer.echo("No quotas: everybody may upload without limit (`reelflow quotas set`).")


def _print_quotas(rows: list[dict[str, Any]]) -> None:
    shown = table("user", "uploads a day", "MiB a day", "set by")
    for row in rows:
        size_bytes = row["bytes_per_day"]
        mib = None if size_bytes is None else size_bytes // _MIB
        cells = (row["user_id"], _number(row["uploads_per_day"]), _number(mib), row["updated_by"])
        shown.add_row(*(plain(cell) for cell in cells))
    console().print(shown)


def _left_row(found: QuotaLeft) -> dict[str, Any]:
    return {
        "uploads_left": found.uploads,
        "bytes_left": found.size_bytes,
        "used_uploads": found.used_uploads,
        "used_bytes": found.used_bytes,
        "reserved_uploads": found.reserved_uploads,
        "reserved_bytes": found.reserved_bytes,
        "reset_at": found.reset_at.isoformat(),
    }


def _print_left(user: str, found: QuotaLeft) -> None:
    mib = None if found.size_bytes is None else found.size_bytes // _MIB
    typer.echo(
        f"{user} may upload {_limit(found.uploads, 'files')} and {_limit(mib, 'MiB')} more until "
        f"{found.reset_at:%Y-%m-%d %H:%M} UTC: {found.used_uploads} uploads of "
        f"{found.used_bytes} bytes are done, {found.reserved_uploads} of {found.reserved_bytes} "
        "bytes go on."
    )


def _limit(number: int | None, what: str) -> str:
    return f"{what} without limit" if number is None else f"{number} {what}"


def _number(number: int | None) -> str:
    return "no limit" if number is None else str(number)
