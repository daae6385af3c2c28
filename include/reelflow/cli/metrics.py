"""``reelflow metrics``: how often posts were viewed, liked, commented and shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import typer

from reelflow.cli.screen import console, plain, print_json, table
from reelflow.cli.workspace import open_workspace

_COUNTS = ("view_count", "like_count", "comment_count", "share_count")


def metrics(
    account: str | None = typer.Option(None, metavar="NAME", help="Only posts of this account."),
    since: str | None = typer.Option(
        None, metavar="DAY", help="Every day from this one on, such as 2026-11-10."
    ),
    limit: int = typer.Option(
        100, min=1, max=10_000, help="Most rows to show; the newest posts are kept."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Show what TikTok counted of posts: on the last day it was asked, or day by day.

    Counts are totals since a post was published; the DAG `collect_post_metrics` asks every day, in
    UTC. Accounts that it cannot ask are named below.
    """
    from reelflow.services.post_metrics.shown import list_metrics, uncollected_accounts

    workspace = open_workspace()
    first = None if since is None else _day(since)
    rows = list_metrics(workspace, account=account, since=first, limit=limit)
    uncollected = uncollected_accounts(workspace)
    if account is not None:
        uncollected = [one for one in uncollected if one["account"] == account]
    if as_json:
        print_json({"metrics": rows, "uncollected": uncollected})
    else:
        _print(rows, uncollected, limit=limit)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text[:40]!r} is no day such as 2026-11-10", param_hint="--since"
        ) from None


def _print(
    rows: Sequence[Mapping[str, Any]], uncollected: Sequence[Mapping[str, str]], *, limit: int
) -> None:
    screen = console()
    if not rows:
        screen.print("No counts: the DAG `collect_post_metrics` asks TikTok every day.")
    else:
        shown = table("id", "file", "account", "day (UTC)")
        for name in ("views", "likes", "comments", "shares"):
            shown.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            told = (row["post_id"], row["file_name"], row["account"], row["day"])
            shown.add_row(*(plain(one) for one in told), *(_count(row[name]) for name in _COUNTS))
        screen.print(shown)
    if len(rows) == limit:
        screen.print(f"Of the newest posts {limit} rows; --limit shows more.", style="dim")
    for one in uncollected:
        line = f"not collected since {one['since'][:10]}: {one['why']}"
        screen.print(plain(line, style="yellow"), soft_wrap=True)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
