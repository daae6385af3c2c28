"""What strangers wrote, without what could act on a screen or not be stored."""

from __future__ import annotations


def printable(text: str, max_chars: int) -> str:
    """Return at most so many printable characters of a text: no control character, no line end."""
    return "".join(char for char in text if char.isprintable())[:max_chars].strip()
