"""An answer that sends a source which was opened before, without ever having much of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import SourceChangedError
from reelflow.source import FileSource, Source

_BLOCK_BYTES: Final = 256 * 1024
#: ... of a source that is no file: each is a request of its own.
_REMOTE_BLOCK_BYTES: Final = 4 * 1024 * 1024


class HeldFileResponse(StreamingResponse):
    """Sends bytes of an open source, and lets go of it however the sending ends.

    :param source: open for reading
    :param part: which bytes; None for none of them, as after HEAD
    :param held: closed at the end; it keeps the source open
    :param headers: ``Content-Length`` among them
    """

    def __init__(
        self,
        source: Source,
        part: ByteRange | None,
        *,
        held: ExitStack,
        status_code: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(_blocks(source, part), status_code, headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; the reader's going away ends it early."""
        with self._held:
            await super().__call__(scope, receive, send)


async def _blocks(source: Source, part: ByteRange | None) -> AsyncIterator[bytes]:
    offset, end = (part.first, part.last + 1) if part else (0, 0)
    block_bytes = _BLOCK_BYTES if isinstance(source, FileSource) else _REMOTE_BLOCK_BYTES
    while offset < end:
        count = min(block_bytes, end - offset)
        block = await run_in_threadpool(source.read_at, offset, count)
        if not block:  # the connection is cut: the reader must not take it for the whole file
            raise SourceChangedError(f"a file shrank to {offset} bytes while it was sent")
        yield block
        offset += len(block)
