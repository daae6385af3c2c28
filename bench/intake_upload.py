"""One upload in chunks, as requests: to Reelflow, or the same bodies to a bare route."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from bench.intake_client import Call, Connection
from bench.intake_servers import Server

MIB = 1024 * 1024
_BOUNDARY = "bench"
#: The beginning of an MP4, which is all that is looked at while it is taken in.
_MP4 = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")

#: Makes the requests for all chunks of a file, of the id of an upload.
Way: TypeAlias = Callable[[Server, "File", str], list[Call]]


@dataclass(frozen=True)
class File:
    """A file to upload."""

    path: Path
    size_bytes: int
    chunk_bytes: int

    def chunks(self) -> Sequence[tuple[int, int]]:
        """Return where each chunk starts and ends."""
        starts = range(0, self.size_bytes, self.chunk_bytes)
        return [(start, min(start + self.chunk_bytes, self.size_bytes)) for start in starts]


def make_file(path: Path, size_mib: int, chunk_mib: int) -> File:
    """Write a file of random bytes that passes for a video."""
    with path.open("wb") as file:
        file.write(_MP4 + os.urandom(MIB - len(_MP4)))
        for _ in range(size_mib - 1):
            file.write(os.urandom(MIB))
    return File(path, size_mib * MIB, chunk_mib * MIB)


def begin(server: Server, file: File) -> str:
    """Open a session for a file; return its id."""
    announced = {
        "file_name": "clip.mp4",
        "file_size": file.size_bytes,
        "content_type": "video/mp4",
        "media_type": "video",
        "chunk_size": file.chunk_bytes,
    }
    return str(ask(server, "POST", "/media/upload/init", announced)["upload_id"])


def ask(server: Server, method: str, path: str, content: Any = None) -> Any:
    """Send a request without a file; return the JSON of the answer."""
    headers = {**server.headers, "Content-Type": "application/json"}
    text = b"" if content is None else json.dumps(content).encode()
    with Connection(server.address) as connection:
        return connection.send(Call(method, server.path + path, headers, before=text))


def raw(server: Server, file: File, upload_id: str) -> list[Call]:
    """Send each chunk as the body."""
    return _puts(server, file, upload_id, {})


def raw_with_digest(server: Server, file: File, upload_id: str) -> list[Call]:
    """Send each chunk as the body, and its SHA-256 before it."""
    return _puts(server, file, upload_id, _digests(file))


def form(server: Server, file: File, upload_id: str) -> list[Call]:
    """Send each chunk as the file of a form."""
    headers = {
        **server.headers,
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
    }
    return [
        Call(
            "POST",
            f"{server.path}/media/upload/chunk",
            headers,
            file.path,
            start,
            end,
            before=_field("upload_id", upload_id)
            + _field("chunk_index", str(index))
            + _part('name="file"; filename="blob"', "application/octet-stream"),
            after=f"\r\n--{_BOUNDARY}--\r\n".encode(),
        )
        for index, (start, end) in enumerate(file.chunks())
    ]


def _puts(
    server: Server, file: File, upload_id: str, digests: Mapping[int, Mapping[str, str]]
) -> list[Call]:
    path = f"{server.path}/media/upload/{upload_id}/chunks"
    return [
        Call(
            "PUT",
            f"{path}/{index}",
            {**server.headers, **digests.get(index, {})},
            file.path,
            start,
            end,
        )
        for index, (start, end) in enumerate(file.chunks())
    ]


@lru_cache(maxsize=1)
def _digests(file: File) -> Mapping[int, Mapping[str, str]]:
    """Return the header of each chunk's SHA-256 (RFC 9530)."""
    digests = {}
    with file.path.open("rb") as content:
        for index, (start, end) in enumerate(file.chunks()):
            digest = hashlib.sha256(content.read(end - start)).digest()
            value = f"sha-256=:{base64.b64encode(digest).decode()}:"
            digests[index] = {"Content-Digest": value}
    return digests


def _field(name: str, value: str) -> bytes:
    return _part(f'name="{name}"') + value.encode() + b"\r\n"


def _part(described: str, content_type: str = "") -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {described}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return f"{head}\r\n".encode()
