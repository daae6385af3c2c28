"""The script in a process of its own, in which Ctrl+C comes while it is still being loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

#: Presses the key when a module is about to be loaded.
PROGRAM: Final = """
import os, signal, sys
from reelflow.cli.__main__ import main

class Key:
    def find_spec(self, name, path=None, target=None):
        if name == pressed_at:
            os.kill(os.getpid(), signal.SIGINT)

_, pressed_at, *words = sys.argv
sys.argv = ["reelflow", *words]
sys.meta_path.insert(0, Key())
main()
"""


@pytest.mark.parametrize(
    ("pressed_at", "words"),
    [
        ("typer", ["submit", "clip.mp4"]),
        ("reelflow.cli.serve", ["--help"]),
        ("reelflow.settings", ["posts", "list"]),
        ("uvicorn", ["serve"]),
    ],
)
def test_ctrl_c_while_it_loads_is_one_line(pressed_at: str, words: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, pressed_at, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_it_is_the_command_line() -> None:
    command = [sys.executable, "-m", "reelflow.cli", "key", "generate"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.strip()) == 44
