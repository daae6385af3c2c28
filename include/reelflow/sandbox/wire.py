"""What a child and its parent say to each other: frames of a kind, a length and bytes.

Questions and answers are JSON objects. While it works on a question the child may ask for ranges of
the file, which is all it ever sees of it. A fork server gets orders, and tells their outcomes.
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct(">cI")
"""Kind of the frame, and how many bytes follow."""
RANGE: Final = struct.Struct(">QI")
"""Offset and count of the bytes that the child asks for."""

QUESTION: Final = b"Q"
ANSWER: Final = b"A"
ATTACHMENT: Final = b"P"
RANGE_WANTED: Final = b"R"
RANGE_GIVEN: Final = b"G"
RANGE_REFUSED: Final = b"X"

ORDER: Final = struct.Struct(">cid")
"""To a fork server: what to do, the child's process id, and seconds that it may take to end."""
OUTCOME: Final = struct.Struct(">i")
"""Of an order: the process id of the new child, or the exit code of one that ended."""

NO_CHILD: Final = -1
"""Instead of a process id: the system has none left."""

FORK: Final = b"F"
"""A new child, for the socket that comes with the order."""
END: Final = b"E"

MAX_ATTACHMENT_BYTES: Final = 2 * 1024 * 1024
MAX_RANGE_BYTES: Final = 256 * 1024
MAX_ERROR_CHARS: Final = 200


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Give the bytes of one frame."""
    return HEADER.pack(kind, len(payload)) + payload
