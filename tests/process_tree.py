"""Which processes work for this one: what it started, and what these forked."""

from __future__ import annotations

import psutil


def workers() -> set[int]:
    """Give all that have no process below them, as a server that forks has."""
    return {one.pid for one in psutil.Process().children(recursive=True) if _works(one)}


def _works(process: psutil.Process) -> bool:
    try:
        return not process.children()
    except psutil.NoSuchProcess:  # it ended just now
        return False
