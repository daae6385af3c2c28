"""A source that gives streams, as one does that lies behind a network."""

from __future__ import annotations

import io

from reelflow.source import BytesSource


class FarSource(BytesSource):
    """Bytes that come as streams, of at most ``most`` bytes at a time."""

    def __init__(self, content: bytes, *, most: int = 256 * 1024) -> None:
        super().__init__(content)
        self._most = most
        self.streams: list[tuple[int, int]] = []
        self.closed = 0

    def stream_at(self, offset: int, count: int) -> Stream:
        self.streams.append((offset, count))
        return Stream(self, io.BytesIO(self.read_at(offset, count)), self._most)


class Stream:
    """One range of it."""

    def __init__(self, source: FarSource, content: io.BytesIO, most: int) -> None:
        self._source, self._content, self._most = source, content, most

    def readinto(self, buffer: memoryview, /) -> int:
        return self._content.readinto(buffer[: self._most])

    def close(self) -> None:
        self._source.closed += 1
