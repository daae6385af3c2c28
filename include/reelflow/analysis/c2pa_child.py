"""The child process that reads C2PA manifests: ``python -I -S`` on this file, under limits.

It imports the standard library and c2pa alone, asks its parent for the bytes it wants, and opens
nothing: before it looks at the file, it gives up the right to open files and connections.

Arguments: the folder that holds c2pa, the descriptor of a socket, the file's size and MIME type.
Each question on the socket is an offset (8 bytes) and a count (4 bytes); the answer is the count of
what follows (4 bytes) and the bytes. It prints one JSON object: the manifest store with its
``validation_state``, ``{"error": ...}``, or ``{}`` when the file has no manifest.
"""

from __future__ import annotations

import io
import json
import resource
import socket
import struct
import sys
from typing import Any

_BLOCK_BYTES = 64 * 1024
_ERROR_CHARS = 500
#: Nothing is fetched: neither a manifest that lies elsewhere nor the state of a certificate.
_SETTINGS = {
    "core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": 32},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class _ParentsFile(io.RawIOBase):
    """The file that the parent reads for us."""

    def __init__(self, channel: socket.socket, size_bytes: int) -> None:
        self._channel = channel.makefile("rwb")
        self._size = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the start of the file")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._channel.write(struct.pack(">QI", self._at, min(len(buffer), 2**30)))
        self._channel.flush()
        count = struct.unpack(">I", self._channel.read(4))[0]
        buffer[:count] = self._channel.read(count)
        self._at += count
        return int(count)


def main(folder: str, descriptor: str, size_bytes: str, mime_type: str) -> None:
    """Print what the file's manifests say."""
    sys.path.append(folder)
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError):
        sys.exit(3)
    channel = socket.socket(fileno=int(descriptor))
    source = io.BufferedReader(_ParentsFile(channel, int(size_bytes)), _BLOCK_BYTES)
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    c2pa.Stream(source)  # the first one opens files of /proc
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    try:
        with c2pa.Reader(mime_type, source, context=context) as reader:
            print(reader.json())  # noqa: T201 - what the parent reads
    except c2pa.C2paError.ManifestNotFound:
        print("{}")  # noqa: T201
    except c2pa.C2paError as error:
        print(json.dumps({"error": str(error)[:_ERROR_CHARS]}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
