"""A whole source, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from reelflow.exceptions import SourceChangedError
from reelflow.source import Source, StreamedSource


def blocks_of(source: Source, *, block_bytes: int) -> Iterator[bytes | memoryview]:
    """Give a source from its first byte to its last; what lies far away comes as one stream.

    A block is in memory at a time: the next one may overwrite it.

    :param block_bytes: the most that a block has
    :raises SourceChangedError: somebody wrote to it meanwhile, or it ends before its size
    """
    given = 0
    for block in (
        _streamed(source, block_bytes)
        if isinstance(source, StreamedSource)
        else _read(source, block_bytes)
    ):
        yield block
        given += len(block)
    if given != source.size_bytes:
        raise SourceChangedError(
            f"the file ends at byte {given}, but had {source.size_bytes} when it was opened: it was"
            " cut or replaced since. Provide it again."
        )


def _streamed(source: StreamedSource, block_bytes: int) -> Iterator[memoryview]:
    block = memoryview(bytearray(block_bytes))
    with closing(source.stream_at(0, source.size_bytes)) as stream:
        while count := stream.readinto(block):
            yield block[:count]


def _read(source: Source, block_bytes: int) -> Iterator[bytes]:
    for offset in range(0, source.size_bytes, block_bytes):
        yield source.read_at(offset, block_bytes)
