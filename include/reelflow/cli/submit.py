"""``reelflow submit``: bring files to a server, as posts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reelflow.cli.exit_codes import EXIT_INTERRUPTED
from reelflow.cli.screen import complain
from reelflow.cli.wished_time import EXAMPLE, read_time
from reelflow.domain.post import PrivacyLevel

if TYPE_CHECKING:
    from reelflow.cli.submit_wishes import Problem, Wish


def submit(
    files: list[Path] = typer.Argument(
        None,
        metavar="FILE...",
        help="Videos, photos, or folders: a folder of photos is one post, in the order of their "
        "names; of a folder of videos each is one.",
        show_default=False,
    ),
    account: str | None = typer.Option(None, metavar="NAME", help="The account they go to."),
    caption: str | None = typer.Option(None, metavar="TEXT", help='May be empty: "".'),
    privacy: PrivacyLevel | None = typer.Option(
        None,
        metavar="LEVEL",
        case_sensitive=False,
        help=f"Who may watch: {', '.join(PrivacyLevel)}.",
    ),
    at: str | None = typer.Option(
        None,
        metavar="TIME",
        help=f"When they go out, in ISO 8601 with a time zone, such as {EXAMPLE}; else now.",
    ),
    repost: bool = typer.Option(
        False, "--repost", help="Post content once more that the account has already."
    ),
    table: Path | None = typer.Option(
        None,
        "--from",
        metavar="POSTS.CSV",
        help="A table of posts instead: the columns file and account, and the fields of a sidecar "
        "(caption, privacy_level, publish_at, ...). Files are named from the table's folder.",
    ),
    url: str | None = typer.Option(
        None,
        metavar="URL",
        help="The server; else REELFLOW_API_URL, else http://127.0.0.1:8000.",
        show_default=False,
    ),
    plain_http: bool = typer.Option(
        False,
        "--plain-http",
        help="Send key and files unencrypted to another machine, too: whoever listens reads them.",
    ),
    approval: bool = typer.Option(False, "--approval", help="A person must approve it first."),
    watch: bool = typer.Option(False, "--watch", help="Follow the posts to their end."),
) -> None:
    """Send videos and photos to a Reelflow server, which posts them at their time.

    All files are checked first, as `reelflow inspect` does. Run again after Ctrl+C or a lost
    connection, it goes on where it stopped, and posts nothing twice. The API key comes from
    REELFLOW_API_KEY.

    Exit codes: 0 the server has all posts; 1 one cannot go or was refused, or --watch saw it end
    unpublished; 2 an error; 3 --watch saw one that waits for a person; 130 Ctrl+C.
    """
    try:
        # Here, so that `reelflow --help` does not wait for it.
        from reelflow.cli.submit_errand import Errand

        values = _values(caption, privacy, at, repost=repost, approval=approval)
        wishes, wrong = _asked(files, account, values, table)
        errand = Errand.open(url, plain_http=plain_http)
    except KeyboardInterrupt:  # from here on the errand hears the key
        complain("Interrupted; nothing was sent.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    raise typer.Exit(errand.run(wishes, wrong, watch=watch))


def _asked(
    files: list[Path], account: str | None, values: dict[str, Any], table: Path | None
) -> tuple[list[Wish], list[Problem]]:
    """Return the posts that are asked for, and what is known to be wrong already."""
    from reelflow.cli.submit_table import read_table
    from reelflow.cli.submit_wishes import wishes_of

    if table is not None:
        _refuse_beside_table(files, account, values)
        return read_table(table)
    _require(files, account, values)
    return wishes_of(files, account or "", values), []


def _values(
    caption: str | None,
    privacy: PrivacyLevel | None,
    at: str | None,
    *,
    repost: bool,
    approval: bool,
) -> dict[str, Any]:
    """Return the fields that the options give, as a sidecar names them."""
    wished = read_time(at)
    given = {
        "caption": caption,
        "privacy_level": privacy,
        "publish_at": None if wished is None else wished.isoformat(),
        "repost": repost or None,
        "approval": approval or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _require(files: list[Path], account: str | None, values: dict[str, Any]) -> None:
    if not files:
        raise typer.BadParameter("give a file, a folder, or a table by --from", param_hint="FILE")
    given = {
        "--account": account,
        "--caption": values.get("caption"),
        "--privacy": values.get("privacy_level"),
    }
    for name, value in given.items():
        if value is None:
            raise typer.BadParameter("it must be given with a file", param_hint=name)


def _refuse_beside_table(files: list[Path], account: str | None, values: dict[str, Any]) -> None:
    """A table says all of its posts; what stands beside it would hold for some and not for others.

    :raises typer.BadParameter: naming what was given beside it
    """
    options = {"privacy_level": "--privacy", "publish_at": "--at"}
    given = [
        *(["FILE"] if files else []),
        *(["--account"] if account is not None else []),
        *(options.get(name, f"--{name}") for name in values),
    ]
    if given:
        raise typer.BadParameter(
            f"{', '.join(given)} cannot be given beside a table: write it into its columns",
            param_hint="--from",
        )
