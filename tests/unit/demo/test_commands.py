"""Running console scripts of this environment."""

import os
from pathlib import Path

import pytest

from demo.commands import run_script
from demo.exceptions import StackError


def test_what_a_command_printed_is_returned(tmp_path: Path) -> None:
    assert run_script("ruff", "--version", environment=os.environ, folder=tmp_path).startswith(
        "ruff "
    )


def test_a_failed_command_is_named_with_its_exit_code_and_words(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"ruff fly ended with exit code 2:\n.*fly") as caught:
        run_script("ruff", "fly", environment=os.environ, folder=tmp_path)
    assert "unrecognized subcommand" in str(caught.value)
