"""Doing a step as somebody who may not write to a folder, whoever runs the tests."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reelflow.exceptions import ReelflowError

_NOBODY = 65_534


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Make a folder that every user can get to, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="reelflow-reachable-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@contextmanager
def closed_to_writing(folder: Path) -> Iterator[None]:
    """Close a folder and what is in it to writing for a while; what is open already stays so."""
    modes = {path: path.stat().st_mode for path in (*folder.iterdir(), folder)}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in reversed(modes.items()):
            path.chmod(mode)


def as_nobody_much(step: Callable[[], str]) -> str:
    """Do a step in a process that no permission is waived for; return what it returns or raises."""
    ours, theirs = multiprocessing.Pipe()

    def run() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        try:
            theirs.send(step())
        except ReelflowError as exc:
            theirs.send(f"{type(exc).__name__}: {exc}")

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    told: str = ours.recv() if ours.poll(60) else "nothing"
    child.join(timeout=60)
    return told
