"""How a plan looks on a screen: day by day, each post with what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from reelflow.cli.posts_view import count_of, utc_minute
from reelflow.cli.screen import console, plain, table

_STYLES: Final = {
    "would_post": "bold cyan",
    "already_posted": "green",
    "unknown": "bold yellow",
    "missed": "yellow",
    "held": "yellow",
    "failed": "red",
    "rejected": "red",
    "source_gone": "red",
    "cancelled": "dim",
    "running": "blue",
    "waiting": "cyan",
}


def print_plan(found: Mapping[str, Any]) -> None:
    """Print a plan.

    :param found: as ``reelflow plan --json`` prints it
    """
    screen = console()
    days = found["days"]
    if not days:
        screen.print("No day that is over ends in this range, so there is nothing to run.")
        return
    for day in days:
        screen.print(_heading(day), soft_wrap=True)
        if day["posts"]:
            screen.print(_table(day["posts"]))
        else:
            screen.print("   no posts\n", style="dim")
    screen.print(_summary(days), soft_wrap=True)
    if any(day["runs"] for day in days):
        screen.print(Text(f"To run them: {found['command']}"), soft_wrap=True)


def _heading(day: Mapping[str, Any]) -> Text:
    span = f"{utc_minute(day['start'])} to {utc_minute(day['end'])} UTC"
    if day["runs"]:
        return Text.assemble((span, "bold"), "  run ", plain(day["run_id"]))
    return Text.assemble((span, "bold"), ("  not run: ", "yellow"), plain(day["skipped_because"]))


def _table(posts: Sequence[Mapping[str, Any]]) -> Table:
    told = table()
    told.add_column("id", justify="right", no_wrap=True)
    told.add_column("file", overflow="fold", ratio=4)
    told.add_column("account", overflow="fold", ratio=2)
    told.add_column("wished (UTC)", no_wrap=True)
    told.add_column("what", no_wrap=True)
    told.add_column("why", overflow="fold", ratio=6)
    for post in posts:
        told.add_row(
            plain(post["id"]),
            plain(f"{post['file_name']}{count_of(post)}"),
            plain(post["account"]),
            plain(utc_minute(post["publish_at"])),
            _status(post["status"]),
            plain(post["why"]),
        )
    return told


def _status(status: str) -> Text:
    return plain(status.replace("_", " "), style=_STYLES[status])


def _summary(days: Sequence[Mapping[str, Any]]) -> Text:
    counts = Counter(post["status"] for day in days for post in day["posts"])
    told = [Text.assemble(f"{counts[status]} ", _status(status)) for status in _STYLES]
    runs = sum(day["runs"] for day in days)
    head = f"{runs} of {len(days)} days run: "
    listed = [text for status, text in zip(_STYLES, told, strict=True) if counts[status]]
    return Text(head) + (Text(", ").join(listed) if listed else Text("no posts"))
