"""The upload session: its states, how long it lives, and how its file is cut into chunks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from reelflow.exceptions import IllegalTransitionError, TerminalError

MIB: Final = 1024 * 1024

#: A session takes chunks until so long after its last one, or its beginning ...
SESSION_LIFETIME: Final = timedelta(hours=1)
#: ... and is swept, with everything it stored, so long after it.
SWEPT_AFTER: Final = timedelta(hours=2)

#: S3 takes no smaller part but the last, and neither do we.
CHUNK_MIN_BYTES: Final = 5 * MIB
CHUNK_MAX_BYTES: Final = 64 * MIB
CHUNK_DEFAULT_BYTES: Final = 8 * MIB
#: S3 takes no more parts.
CHUNKS_MAX: Final = 10_000


class SessionKind(StrEnum):
    """By which way the file comes."""

    CHUNKED = "chunked"
    PRESIGNED = "presigned"
    DASHBOARD = "dashboard"
    #: In one request: the session begins when the file is here, and tells the sweep of a crash.
    WHOLE = "whole"


class SessionState(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    FINISHING = "finishing"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_S = SessionState

#: States that nothing leaves.
ENDED: Final = frozenset({_S.FINISHED, _S.CANCELLED, _S.EXPIRED})

TRANSITIONS: Final[dict[SessionState, frozenset[SessionState]]] = {
    _S.OPEN: frozenset({_S.FINISHING, _S.CANCELLED, _S.EXPIRED}),
    # To OPEN when what stands in the way can be mended, and the chunks are there still.
    _S.FINISHING: frozenset({_S.OPEN, _S.FINISHED, _S.CANCELLED}),
    _S.FINISHED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
}


def check_transition(current: SessionState, target: SessionState) -> None:
    """Raise unless the table allows the step.

    :raises IllegalTransitionError: nothing was changed
    """
    if target not in TRANSITIONS[current]:
        allowed = ", ".join(sorted(TRANSITIONS[current])) or "nothing: it has ended"
        raise IllegalTransitionError(
            f"an upload cannot go from {current} to {target}; from {current} it goes to {allowed}",
            code="upload_state",
            state=current.value,
        )


@dataclass(frozen=True)
class UploadPlan:
    """How a file is cut: every chunk has the same size, but the last takes what is left.

    :param size_bytes: of the whole file
    :raises ValueError: the numbers do not fit each other
    """

    size_bytes: int
    chunk_size_bytes: int
    total_chunks: int

    def __post_init__(self) -> None:
        if self.size_bytes < 1 or self.chunk_size_bytes < 1:
            raise ValueError(f"{self} has no bytes")
        if self.total_chunks != -(-self.size_bytes // self.chunk_size_bytes):
            raise ValueError(f"{self} does not cover its file")

    def size_of_chunk(self, index: int) -> int:
        """Return how many bytes a chunk has.

        :param index: from 0
        :raises ValueError: there is no such chunk
        """
        if not 0 <= index < self.total_chunks:
            raise ValueError(f"chunk {index} does not lie in 0..{self.total_chunks - 1}")
        return min(self.chunk_size_bytes, self.size_bytes - self.offset_of_chunk(index))

    def offset_of_chunk(self, index: int) -> int:
        """Return where in the file a chunk begins."""
        return index * self.chunk_size_bytes

    def bytes_of(self, received: Collection[int]) -> int:
        """Return how many bytes these chunks have together; each counts once."""
        return sum(self.size_of_chunk(index) for index in set(received))

    def missing(self, received: Collection[int]) -> list[int]:
        """Return the chunks that are not among these, in their order."""
        there = set(received)
        return [index for index in range(self.total_chunks) if index not in there]


def plan_upload(size_bytes: int, wished_chunk_size_bytes: int | None = None) -> UploadPlan:
    """Return how a file is cut, as near to what was wished as the limits allow.

    :raises TerminalError: the file is empty, or too large for so many chunks (code ``file_size``)
    """
    if not 1 <= size_bytes <= CHUNK_MAX_BYTES * CHUNKS_MAX:
        raise TerminalError(
            f"a file of {size_bytes} bytes cannot be uploaded in chunks: it may have 1 to "
            f"{CHUNK_MAX_BYTES * CHUNKS_MAX} bytes",
            code="file_size",
            size_bytes=size_bytes,
        )
    wished = CHUNK_DEFAULT_BYTES if wished_chunk_size_bytes is None else wished_chunk_size_bytes
    fewest_bytes = -(-size_bytes // CHUNKS_MAX)
    chunk_bytes = max(min(max(wished, CHUNK_MIN_BYTES), CHUNK_MAX_BYTES), fewest_bytes)
    return UploadPlan(size_bytes, chunk_bytes, -(-size_bytes // chunk_bytes))


def ranges(indices: Collection[int]) -> list[list[int]]:
    """Return numbers as pairs of the first and last of each unbroken run, in their order."""
    found: list[list[int]] = []
    for index in sorted(set(indices)):
        if found and found[-1][1] == index - 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return found
