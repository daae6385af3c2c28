"""What goes onto the screen: text made safe, consoles as wide as their reader, JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Width of tables that go into a file or another program, which have no width of their own.
PIPE_WIDTH: Final = 160
_JOINER: Final = "\N{ZERO WIDTH JOINER}"  # holds emoji together
_NEWLINE: Final = "\N{RETURN SYMBOL}"


def screen_safe(text: str) -> str:
    """Replace what could move the cursor, recolour the screen or turn the line's direction round.

    Names and captions come from strangers. Ends of lines become a visible sign.
    """
    shown = text.replace("\r\n", "\n").replace("\n", f"{_NEWLINE} ")
    return "".join(
        char if char.isprintable() or char == _JOINER else "\N{REPLACEMENT CHARACTER}"
        for char in shown
    )


def plain(value: object, *, style: str = "") -> Text:
    """Return a value as text that Rich does not search for markup; None is empty."""
    return Text("" if value is None else screen_safe(str(value)), style=style)


def console(stream: IO[str] | None = None) -> Console:
    """Return a console on stdout or the given stream; in a pipe it is wide and has no colour."""
    target = stream or sys.stdout
    width = None if target.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=target, width=width, highlight=False, emoji=False, markup=False)


def table(*headers: str, title: str | None = None) -> Table:
    """Return an empty table in the house look; text that is too long folds, nothing is cut."""
    empty = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
        title=title,
        title_style="bold",
        title_justify="left",
    )
    for header in headers:
        empty.add_column(header, overflow="fold")
    return empty


def print_json(value: Any) -> None:
    """Print a value as JSON; in ASCII, so that nothing in it can steer a terminal."""
    typer.echo(json.dumps(value, indent=2))


def complain(sentence: str) -> None:
    """Print one line on stderr."""
    typer.echo(screen_safe(sentence), err=True)
