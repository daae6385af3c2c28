"""A process that never read a video, on a machine where libav or any child cannot be started."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reelflow.media import decoder
from reelflow.sandbox.program import Program

_numbers = itertools.count(decoder.LIBAV.max_answer_bytes + 1)


def unused(program: Program) -> Program:
    """Give the same program as one that this process never ran: its first children are started."""
    return replace(program, max_answer_bytes=next(_numbers))


def forget_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next children be started for their files: no server is left that could fork them."""
    monkeypatch.setattr(decoder, "LIBAV", unused(decoder.LIBAV))


def break_libav(monkeypatch: pytest.MonkeyPatch, folder: Path, *, loading: str) -> None:
    """Put another package in the place of av.

    :param loading: the code that runs when it is loaded
    """
    forget_files(monkeypatch)
    (folder / "av").mkdir()
    (folder / "av" / "__init__.py").write_text(loading)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "av", raising=False)  # where tests of the child left it


def allow_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no child be started."""
    forget_files(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/nonexistent")
