"""Names of files as strangers give them: shown to people, and never used as a path."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Longest name, in UTF-8.
NAME_MAX_BYTES: Final = 255
_UNNAMED: Final = "upload"
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,10})\Z", re.ASCII)


def clean_file_name(text: str) -> str:
    """Return what can be shown of a file's name: its last part, in visible characters only.

    Never empty, and never a name with a meaning of its own, such as ``..``. A name that is too
    long loses from its middle, so that it keeps its extension.
    """
    last_part = re.split(r"[/\\]", text)[-1]
    # Unassigned, control, format (the marks that turn a line round are), surrogates: not printable.
    visible = "".join(char for char in last_part if char.isprintable())
    name = unicodedata.normalize("NFC", visible).strip(" .") if visible.strip(" .") else ""
    # A leading dot hides a file; a trailing one means nothing. What is inside stays.
    return _shortened(name) or _UNNAMED


def extension_of(name: str) -> str:
    """Return a name's extension in lower case without its dot; empty where it has none."""
    found = _EXTENSION.search(name)
    return found[1].lower() if found else ""


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_MAX_BYTES:
        return name
    found = _EXTENSION.search(name)
    ending = found[0] if found else ""
    stem = name[: len(name) - len(ending)]
    kept = stem.encode()[: NAME_MAX_BYTES - len(ending)].decode(errors="ignore").rstrip(" .")
    return f"{kept}{ending}"
