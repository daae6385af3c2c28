"""What a child and its parent say to each other: frames of a kind, a length and bytes.

Questions and answers are JSON objects. While it works on a question the child may ask for ranges of
the file, which is all it ever sees of it. A fork server is told of new children through its control
socket, and of the end of each on a socket of its own.
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

FORK: Final = b"F"
"""Through a fork server's control socket, with two others: a new child's own, and its control."""
END: Final = struct.Struct(">d")
"""On a child's second socket, to the server: seconds that the child may take to end."""
OUTCOME: Final = struct.Struct(">i")
"""There, from the server: the process id of the new child; later the exit code of its end."""
NO_CHILD: Final = -1
"""Instead of a process id: the system has none left."""

MAX_ATTACHMENT_BYTES: Final = 2 * 1024 * 1024
MAX_RANGE_BYTES: Final = 256 * 1024
MAX_ERROR_CHARS: Final = 200


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Give the bytes of one frame."""
    return HEADER.pack(kind, len(payload)) + payload
