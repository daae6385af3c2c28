"""How posts look on a screen: the table of many, the quarantine, what reconciling found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reelflow.cli.screen import console, plain, table
from reelflow.domain.post import DONE, PostState

#: A narrower screen gets lines instead of a table.
_TABLE_WIDTH: Final = 90
_FILE_CHARS: Final = 80
_REASON_CHARS: Final = 120
_WAITING: Final[frozenset[str]] = frozenset({PostState.READY, PostState.HELD, PostState.MISSED})
_STYLES: Final[dict[str, str]] = {
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
    """Print posts as :func:`reelflow.services.report.list_posts` gives them.

    A table where there is room for one; otherwise a few lines each.
    """
    screen = console()
    if not rows:
        screen.print("No posts.")
        return
    screen.print(_table(rows) if screen.width >= _TABLE_WIDTH else _stack(rows))
    if len(rows) == limit:
        _tell_of_limit(screen, limit)


def _tell_of_limit(screen: Console, limit: int) -> None:
    screen.print(f"The newest {limit}; --limit shows more.", style="dim")


def print_quarantine(rows: Sequence[Mapping[str, Any]], *, limit: int) -> None:
    """Print rejected posts, with where their files lie (``path``) and how to mend them."""
    screen = console()
    if not rows:
        screen.print("The quarantine is empty.")
        return
    _print_with_fix(screen, rows)
    hint = "`reelflow quarantine release ID` validates a file again, once it or the rule is mended."
    screen.print(hint, style="dim", soft_wrap=True)
    if len(rows) == limit:
        _tell_of_limit(screen, limit)


def print_reconciliation(found: Mapping[str, Any]) -> None:
    """Print what TikTok settled, what it did not, and what is left for a person.

    :param found: as ``reelflow reconcile --json`` prints it
    """
    screen = console()
    names = {row["id"]: f"{row['account']}/{_name(row)}" for row in found["posts"]}
    links = {row["id"]: row["link"] or row["post_id"] for row in found["posts"]}
    unknown = {row["id"] for row in found["for_a_person"]}

    def tell(post_id: int, *what: Text | str) -> None:
        head = plain(f"{post_id}  {names.get(post_id, '')}  ")
        screen.print(Text.assemble(head, *what), soft_wrap=True)

    for post_id in found["returned_to_ready"]:
        tell(post_id, "stopped before its last byte: it is ", state_text("READY"), " again")
    for text, state in found["settled"].items():
        link = links.get(int(text))
        tell(int(text), "is ", state_text(state), " now", plain(f": {link}" if link else ""))
    for text, why in found["unsettled"].items():
        if int(text) not in unknown:
            tell(int(text), "is not settled yet: ", plain(why))
    for text, why in found["left"].items():
        tell(int(text), "was left alone: ", plain(why))
    if unknown:
        screen.print("\nReelflow cannot know what became of these; a person must look:")
        _print_with_fix(screen, found["for_a_person"])
    elif not any(found[name] for name in ("settled", "unsettled", "left", "returned_to_ready")):
        screen.print("Nothing to settle.")


def _print_with_fix(screen: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print posts with what to do about each; not wrapped by us, it may be a command to copy."""
    for row in rows:
        head = f"{row['id']}  {row['account']}/{_name(row)}"
        screen.print(plain(head, style="bold"), soft_wrap=True)
        for name, key in (("why", "reason"), ("fix", "fix"), ("file", "path")):
            if row.get(key):
                line = Text.assemble("   ", (f"{name}: ", "dim"), plain(row[key]))
                screen.print(line, soft_wrap=True)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    told = table()
    told.add_column("id", justify="right", no_wrap=True)
    told.add_column("file", overflow="fold", ratio=4)
    told.add_column("account", overflow="fold", ratio=2)
    told.add_column("state", no_wrap=True)
    told.add_column("why", overflow="fold", ratio=6)
    told.add_column("due (UTC) or\nTikTok post", no_wrap=True)
    for row in rows:
        told.add_row(
            plain(row["id"]),
            plain(_name(row)),
            plain(row["account"]),
            state_text(row["state"]),
            plain(_short(row["reason"], _REASON_CHARS)),
            plain(_next_or_result(row)),
        )
    return told


def _stack(rows: Sequence[Mapping[str, Any]]) -> Group:
    lines: list[RenderableType] = []
    for row in rows:
        told = (row["account"], _next_or_result(row))
        head = Text.assemble(f"{row['id']}  ", state_text(row["state"]))
        lines.append(Text("  ").join([head, *(plain(one) for one in told if one)]))
        lines += [Padding(plain(text), (0, 0, 0, 3)) for text in (_name(row), row["reason"])]
    return Group(*lines)


def _name(row: Mapping[str, Any]) -> str:
    """Return a file's name, or a folder's with how many images of it are posted."""
    return _short(row["file_name"], _FILE_CHARS) + count_of(row)


def count_of(row: Mapping[str, Any]) -> str:
    """Return how many photos a photo post has, in brackets; nothing for a video."""
    images = row.get("image_count")
    return f" ({images} photo{'s' if images > 1 else ''})" if images else ""


def _next_or_result(row: Mapping[str, Any]) -> str | None:
    """Return the id of the post at TikTok, or when the post is due while a run may take it."""
    if row["post_id"] or not is_waiting(row["state"]):
        result: str | None = row["post_id"]
        return result
    return utc_minute(row["due_at"])


def is_waiting(state: str) -> bool:
    """Whether a post in this state has a time at which a run may take it."""
    return state in _WAITING


def state_text(state: str) -> Text:
    """Return a state in its colour; one that is none, in a ledger changed by hand, in red."""
    return plain(state, style=_STYLES.get(state, "bold red"))


def utc_minute(text: str | None) -> str | None:
    """Return an ISO time as UTC to the minute."""
    return text and f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def _short(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"
