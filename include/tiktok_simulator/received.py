"""The bytes of one upload: each chunk in a file of its own, hashed in the order of arrival."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_READ_BYTES = 2**18


class IncomingChunk:
    """One PUT's body on its way; counts for nothing until :meth:`ReceivedBytes.store` takes it."""

    def __init__(self, offset: int, path: Path | None, digest: Any) -> None:
        self.offset = offset
        self.size_bytes = 0
        self.path = path
        self.digest = digest
        self._file = path.open("xb") if path else None

    def write(self, data: bytes) -> None:
        """Append bytes as they arrive."""
        self.size_bytes += len(data)
        if self._file is not None:
            self._file.write(data)
            self.digest.update(data)

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """Forget the bytes of a body that was cut or refused."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.close()


class ReceivedBytes:
    """Everything stored for one upload.

    :param directory: where the chunks go, made when the first arrives; None counts bytes only
        (a sink for benchmarks: nothing on disk, no hash).
    :param in_parts: whether each chunk is a file of its own, an image of a photo post.
    """

    def __init__(self, directory: Path | None, *, in_parts: bool = False) -> None:
        self.size_bytes = 0
        self.chunk_sizes: list[int] = []
        self._directory = directory
        self._in_parts = in_parts
        self._part_sha256s: list[str] = []
        self._digest = hashlib.sha256()
        self._paths: list[Path] = []
        self._opened = 0

    @property
    def sha256(self) -> str | None:
        """Hex digest of the bytes stored so far; None when they are only counted.

        Of parts it is that of their digests, each in hex and with a newline behind it: the same
        images in another order are another post.
        """
        if self._directory is None:
            return None
        if self._in_parts:
            lines = "".join(f"{one}\n" for one in self._part_sha256s)
            return hashlib.sha256(lines.encode()).hexdigest()
        return str(self._digest.hexdigest())

    @property
    def part_sha256s(self) -> list[str] | None:
        """Hex digest of each part in its order; None unless there are parts and they are kept."""
        return list(self._part_sha256s) if self._in_parts and self._directory else None

    @property
    def is_kept(self) -> bool:
        """Whether the bytes can be read back."""
        return self._directory is not None

    def open_chunk(self) -> IncomingChunk:
        """Begin to receive the chunk that follows the stored bytes."""
        path = None
        if self._directory is not None:
            self._directory.mkdir(exist_ok=True)
            self._opened += 1
            path = self._directory / f"{self._opened}.chunk"
        digest = hashlib.sha256() if self._in_parts else self._digest.copy()
        return IncomingChunk(self.size_bytes, path, digest)

    def store(self, chunk: IncomingChunk) -> bool:
        """Make a whole chunk part of the upload.

        :return: False when another PUT stored the same range while this one was on its way.
        """
        chunk.close()
        if chunk.offset != self.size_bytes:
            return False
        self.size_bytes += chunk.size_bytes
        self.chunk_sizes.append(chunk.size_bytes)
        self._digest = chunk.digest
        self._part_sha256s.append(chunk.digest.hexdigest())
        if chunk.path is not None:
            self._paths.append(chunk.path)
        return True

    def content(self) -> Iterator[bytes]:
        """Read the stored bytes back in order, a piece at a time."""
        for path in self._paths:
            with path.open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    yield piece
