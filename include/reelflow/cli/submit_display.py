"""How far submitting is: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from reelflow.cli.screen import plain, screen_safe

#: In a log, a file that takes long is told of so often.
_LINE_EVERY_S: Final = 10
_NAME_CHARS: Final = 40


class Display(Protocol):
    """Shows what several threads report; only the thread that refreshes it writes."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def begin(self, name: str, size_bytes: int) -> Callable[[int], None]:
        """Show a thing that is under way; what this returns takes how many bytes are done."""
        ...

    def say(self, line: str) -> None:
        """Show a line that stays."""
        ...

    def refresh(self) -> None:
        """Write what was reported since."""
        ...


class BarDisplay:
    """A bar for each thing under way, the lines above them."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            _Amount(),
            TimeRemainingColumn(),
            console=screen,
            auto_refresh=False,
            transient=True,
            expand=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.refresh()
        self._progress.stop()

    def begin(self, name: str, size_bytes: int) -> Callable[[int], None]:
        """Add a bar; it goes when its thing is done."""
        bar: TaskID = self._progress.add_task(_short(name), total=size_bytes)

        def done(done_bytes: int) -> None:
            self._progress.update(bar, completed=done_bytes, visible=done_bytes < size_bytes)

        return done

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._lines.put(line)

    def refresh(self) -> None:
        """Draw the bars anew."""
        for line in _taken(self._lines):
            self._progress.console.print(plain(line), soft_wrap=True)
        self._progress.refresh()


class LineDisplay:
    """A line now and then, for logs and pipes."""

    def __init__(self, screen: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._lines: SimpleQueue[str] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.refresh()

    def begin(self, name: str, size_bytes: int) -> Callable[[int], None]:
        """Say that a thing is begun, and at times how far it is."""
        size = decimal(size_bytes)
        said_at = self._clock()
        self.say(f"{name}: {size}")

        def done(done_bytes: int) -> None:
            nonlocal said_at
            if self._clock() - said_at >= _LINE_EVERY_S:
                said_at = self._clock()
                self.say(f"{name}: {100 * done_bytes // max(1, size_bytes)} % of {size}")

        return done

    def say(self, line: str) -> None:
        """Print a line."""
        self._lines.put(line)

    def refresh(self) -> None:
        """Print the lines."""
        for line in _taken(self._lines):
            self._screen.print(plain(line), soft_wrap=True)


class _Amount(ProgressColumn):
    """How many bytes are done, of how many, and how fast."""

    def render(self, task: Task) -> Text:
        """Return it as text."""
        speed = f" {decimal(int(task.speed))}/s" if task.speed else ""
        return Text(f"{decimal(int(task.completed))} of {decimal(int(task.total or 0))}{speed}")


def display_on(screen: Console) -> Display:
    """Return what fits where it is shown."""
    return BarDisplay(screen) if screen.is_terminal else LineDisplay(screen)


def _taken(lines: SimpleQueue[str]) -> list[str]:
    taken = []
    while True:
        try:
            taken.append(lines.get_nowait())
        except Empty:
            return taken


def _short(name: str) -> str:
    """Return a name that leaves room for its bar, without what Rich would take for markup."""
    shown = screen_safe(name)
    shown = shown if len(shown) <= _NAME_CHARS else shown[: _NAME_CHARS - 1] + "…"
    return shown.replace("[", "\\[")
