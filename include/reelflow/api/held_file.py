"""An answer that sends a file which was opened before, without ever having much of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import SourceChangedError

_BLOCK_BYTES: Final = 256 * 1024


class HeldFileResponse(StreamingResponse):
    """Sends bytes of an open file, and lets go of it however the sending ends.

    :param fd: open for reading
    :param part: which bytes; None for none of them, as after HEAD
    :param held: closed at the end; it keeps ``fd`` open
    :param headers: ``Content-Length`` among them
    """

    def __init__(
        self,
        fd: int,
        part: ByteRange | None,
        *,
        held: ExitStack,
        status_code: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(_blocks(fd, part), status_code, headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; the reader's going away ends it early."""
        with self._held:
            await super().__call__(scope, receive, send)


async def _blocks(fd: int, part: ByteRange | None) -> AsyncIterator[bytes]:
    offset, end = (part.first, part.last + 1) if part else (0, 0)
    while offset < end:
        block = await run_in_threadpool(os.pread, fd, min(_BLOCK_BYTES, end - offset), offset)
        if not block:  # the connection is cut: the reader must not take it for the whole file
            raise SourceChangedError(f"a file shrank to {offset} bytes while it was sent")
        yield block
        offset += len(block)
