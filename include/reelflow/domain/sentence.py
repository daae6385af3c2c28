"""How reasons become sentences: what we write ends without a full stop, what others say with."""

from __future__ import annotations


def as_sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends as a sentence already."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
