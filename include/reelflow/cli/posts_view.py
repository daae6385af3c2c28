"""How posts look on a screen: the table of many, the story of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from reelflow.cli.screen import console, plain
from reelflow.domain.post import DONE, PostState

_REASON_CHARS: Final = 90
_STYLES: Final[dict[PostState, str]] = {
    **dict.fromkeys(DONE, "green"),
    PostState.HELD: "yellow",
    PostState.MISSED: "yellow",
    PostState.UNKNOWN: "bold yellow",
    PostState.REJECTED: "red",
    PostState.FAILED: "red",
    PostState.CANCELLED: "dim",
    PostState.READY: "cyan",
    PostState.UPLOADING: "blue",
    PostState.COMMITTING: "blue",
    PostState.PROCESSING: "blue",
}


def print_posts(rows: Sequence[Mapping[str, Any]], *, limit: int) -> None:
    """Print the table of posts, as :func:`reelflow.services.report.list_posts` gives them."""
    screen = console()
    if not rows:
        screen.print("No posts.")
        return
    table = Table(header_style="bold")
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("file", overflow="fold", ratio=3)
    table.add_column("account", overflow="fold", ratio=2)
    table.add_column("state", no_wrap=True)
    table.add_column("why", ratio=5)
    table.add_column("due (UTC)", no_wrap=True)
    table.add_column("TikTok post", no_wrap=True)
    for row in rows:
        table.add_row(
            plain(row["id"]),
            plain(row["file_name"]),
            plain(row["account"]),
            _state(row["state"]),
            plain(_short(row["reason"])),
            plain(_minute(row["due_at"])),
            plain(row["post_id"]),
        )
    screen.print(table)
    if len(rows) == limit:
        screen.print(f"The newest {limit}; --limit shows more.", style="dim")


def print_post(post: Mapping[str, Any]) -> None:
    """Print one post, as :func:`reelflow.services.report.show_post` gives it."""
    screen = console()
    screen.print(Text.assemble(f"Post {post['id']}  ", _state(post["state"])), style="bold")
    screen.print(plain(post["reason"]))
    if post["fix"]:
        screen.print(Text.assemble("fix: ", plain(post["fix"])))


def _state(state: str) -> Text:
    return plain(state, style=_STYLES[PostState(state)])


def _short(text: str) -> str:
    return text if len(text) <= _REASON_CHARS else text[: _REASON_CHARS - 1].rstrip() + "…"


def _minute(text: str | None) -> str | None:
    """Return an ISO time as UTC to the minute."""
    return text and f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"
