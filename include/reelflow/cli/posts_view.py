"""How posts look on a screen: the table of many, the story of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reelflow.cli.screen import console, plain, table
from reelflow.domain.post import DONE, PostState

#: A narrower screen gets lines instead of a table.
_TABLE_WIDTH: Final = 90
_FILE_CHARS: Final = 80
_REASON_CHARS: Final = 120
_WAITING: Final = frozenset({PostState.READY, PostState.HELD, PostState.MISSED})
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
    """Print posts as :func:`reelflow.services.report.list_posts` gives them.

    A table where there is room for one; otherwise a few lines each.
    """
    screen = console()
    if not rows:
        screen.print("No posts.")
        return
    screen.print(_table(rows) if screen.width >= _TABLE_WIDTH else _stack(rows))
    if len(rows) == limit:
        screen.print(f"The newest {limit}; --limit shows more.", style="dim")


def print_quarantine(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rejected posts, with where their files lie and how to mend them."""
    screen = console()
    if not rows:
        screen.print("The quarantine is empty.")
        return
    for row in rows:
        screen.print(
            Text.assemble(f"{row['id']}  ", plain(row["file_name"]), "  ", plain(row["account"]))
        )
        for name, value in (
            ("why", row["reason"]),
            ("fix", row["fix"]),
            ("file", row["source_path"]),
        ):
            # Not wrapped by us: a fix may be a command line to copy.
            line = Text.assemble("   ", (f"{name}: ", "dim"), plain(value))
            screen.print(line, soft_wrap=True)


def print_reconciliation(found: Mapping[str, Any]) -> None:
    """Print what TikTok settled, what it did not, and what is left for a person."""
    screen = console()
    unknown = {str(row["id"]) for row in found["for_a_person"]}
    for post_id, state in found["settled"].items():
        screen.print(Text.assemble(f"Post {post_id} is ", _state(state), " now."))
    for post_id, why in found["unsettled"].items():
        if post_id not in unknown:
            screen.print(Text.assemble(f"Post {post_id} is not settled yet: ", plain(why)))
    if unknown:
        screen.print("A person must look at these, then tell with `reelflow posts resolve ID`:")
        screen.print(_stack(found["for_a_person"]))
    elif not (found["settled"] or found["unsettled"]):
        screen.print("Nothing to settle.")


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
            _state(row["state"]),
            plain(_short(row["reason"], _REASON_CHARS)),
            plain(_next_or_result(row)),
        )
    return told


def _stack(rows: Sequence[Mapping[str, Any]]) -> Group:
    lines: list[RenderableType] = []
    for row in rows:
        told = (row["account"], _next_or_result(row))
        head = Text.assemble(f"{row['id']}  ", _state(row["state"]))
        lines.append(Text("  ").join([head, *(plain(one) for one in told if one)]))
        lines += [Padding(plain(text), (0, 0, 0, 3)) for text in (_name(row), row["reason"])]
    return Group(*lines)


def _name(row: Mapping[str, Any]) -> str:
    """Return a file's name, or a folder's with how many images of it are posted."""
    return _short(row["file_name"], _FILE_CHARS) + _count(row)


def _count(row: Mapping[str, Any]) -> str:
    images = row.get("image_count")
    return f" ({images} photo{'s' if images > 1 else ''})" if images else ""


def _next_or_result(row: Mapping[str, Any]) -> str | None:
    """Return the id of the post at TikTok, or when the post is due while a run may take it."""
    if row["post_id"] or PostState(row["state"]) not in _WAITING:
        result: str | None = row["post_id"]
        return result
    return _minute(row["due_at"])


def print_post(post: Mapping[str, Any]) -> None:
    """Print one post, as :func:`reelflow.services.report.show_post` gives it."""
    screen = console()
    screen.print(Text.assemble((f"Post {post['id']}  ", "bold"), _state(post["state"])))
    screen.print(_fields(post))
    # Not wrapped by us: a fix may be a command line to copy.
    for violation in post["violations"] or ():
        broken = "{rule}: {value} (allowed: {limit})".format_map(violation)
        screen.print(Text.assemble(("broken rule ", "red"), plain(broken)), soft_wrap=True)
        screen.print(Text.assemble("  fix: ", plain(violation["fix"])), soft_wrap=True)
    if post["fix"] and not post["violations"]:
        screen.print(Text.assemble("fix: ", plain(post["fix"])), soft_wrap=True)
    if post["publications"]:
        screen.print(_publications(post["publications"]))
    screen.print(_story(post["story"]))


def _fields(post: Mapping[str, Any]) -> Table:
    rows = {
        "why": post["reason"],
        "folder" if post.get("image_count") else "file": post["file_name"] + _count(post),
        "images": ", ".join(PurePath(one["file_name"]).name for one in post.get("images", ())),
        "size": f"{post['size_bytes']:,} bytes",
        "SHA-256": post["sha256"],
        "media": _media(post["metadata"] or {}),
        "thumbnail": post["thumbnail_path"],
        "account": post["account"],
        "mode": post["mode"],
        "privacy": post["privacy_level"] or ("none chosen" if post["mode"] == "direct" else None),
        "title": post.get("title"),
        "caption": post["caption"],
        "wished for": _utc(post["publish_at"]),
        "due": _utc(post["due_at"]) if post["state"] in _WAITING else None,
        "publish_id": post["publish_id"],
        "TikTok post": post["post_id"],
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            grid.add_row(name, plain(value))
    return grid


def _media(facts: Mapping[str, Any]) -> str:
    shown = [facts.get("container"), facts.get("video_codec"), facts.get("audio_codec")]
    if facts.get("display_width"):
        shown.append(f"{facts['display_width']}x{facts['display_height']}")
    if facts.get("duration_s"):
        shown.append(f"{facts['duration_s']:.1f} s")
    return ", ".join(str(one) for one in shown if one)


def _publications(publications: Sequence[Mapping[str, Any]]) -> Table:
    told = table("#", "state", "publish_id", "sent", "TikTok says", "begun (UTC)", title="Uploads")
    for one in publications:
        share = f"{one['acknowledged_bytes']:,} of {one['size_bytes']:,} bytes"
        said = " ".join(filter(None, (one["tiktok_status"], one["fail_reason"])))
        current = "" if one["current"] else "dim"
        cells = (one["ordinal"], one["state"], one["publish_id"], share, said)
        told.add_row(*(plain(cell) for cell in cells), _minute(one["created_at"]), style=current)
    return told


def _story(story: Sequence[Mapping[str, Any]]) -> Table:
    told = table("at (UTC)", "step", "why", "who", title="Story")
    for entry in story:
        steps = [_state(state) for state in (entry["from"], entry["to"]) if state]
        told.add_row(
            _minute(entry["at"]),
            Text(" > ").join(steps),
            plain(entry["why"]),
            plain(entry["actor"]),
        )
    return told


def _state(state: str) -> Text:
    return plain(state, style=_STYLES[PostState(state)])


def _short(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"


def _minute(text: str | None) -> str | None:
    """Return an ISO time as UTC to the minute."""
    return text and f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M}"


def _utc(text: str | None) -> str | None:
    return text and f"{_minute(text)} UTC"
