"""Ids that Reelflow gives: 32 hex digits, of media, uploads, their sessions and jobs."""

from __future__ import annotations

import re
from typing import Final

#: For patterns that an id is a part of.
ID_PATTERN: Final = "[0-9a-f]{32}"
_ID: Final = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Whether a text may be an id of ours; nothing else needs to be looked for.

    A database takes offence at text that no id has, such as a NUL.
    """
    return _ID.fullmatch(text) is not None
