"""Reading an access token without showing it: from a file, from stdin, or typed unseen."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import IO, Final

import typer

from reelflow.exceptions import ConfigurationError

STDIN: Final = Path("-")
# Documented tokens have about 70 characters (oauth-user-access-token-management, read 2026-09-11).
_MAX_CHARS: Final = 4096
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)


def read_access_token(file: Path | None) -> str:
    """Return the token from a file or, without one or with ``-``, from stdin or a hidden prompt.

    It is never an argument: the process list and the shell's history would show it.

    :raises ConfigurationError: there is none, or it cannot be a token; never quotes it
    """
    if file is not None and file != STDIN:
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                return _checked(stream, f"the file {file}")
        except OSError as error:
            raise ConfigurationError(
                f"the access token cannot be read from {file} ({error.strerror}): name a file "
                "that holds the token alone"
            ) from None
    if sys.stdin.isatty():
        return _valid(typer.prompt("Access token", hide_input=True), "what you typed")
    return _checked(sys.stdin, "stdin")


def _checked(stream: IO[str], where: str) -> str:
    return _valid(stream.read(_MAX_CHARS + 1), where)


def _valid(text: str, where: str) -> str:
    token = text.strip()
    if not token:
        raise ConfigurationError(
            f"{where} holds no access token: give it with --access-token-file FILE, or on stdin"
        )
    if len(text) > _MAX_CHARS or not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            f"{where} holds more than one access token: it must be the token alone, at most "
            f"{_MAX_CHARS} characters without spaces"
        )
    return token
