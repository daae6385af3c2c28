"""A client for chunks that costs next to nothing: raw sockets, and bodies sent by the kernel."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

_TIMEOUT_S = 120.0

#: Host and port.
Address: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class Call:
    """One request.

    :param body: a file whose bytes ``start`` to ``end`` are the body, between two other texts
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Path | None = None
    start: int = 0
    end: int = 0
    before: bytes = b""
    after: bytes = b""

    @property
    def head(self) -> bytes:
        """What goes before the file's bytes."""
        size_bytes = len(self.before) + self.end - self.start + len(self.after)
        headers = {"Host": "bench", **self.headers, "Content-Length": str(size_bytes)}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.before


class Connection:
    """One kept connection to a server, to be used in a ``with``."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A timeout makes Python's sockets non-blocking, which the kernel's own sending is not for.
        self._socket.settimeout(None)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, call: Call, content: int | None = None) -> Any:
        """Send a request and return the JSON of its answer.

        :param content: descriptor of the open body
        :raises RuntimeError: the answer is an error
        """
        self._socket.sendall(call.head)
        offset = call.start
        while content is not None and offset < call.end:
            offset += os.sendfile(self._socket.fileno(), content, offset, call.end - offset)
        if call.after:
            self._socket.sendall(call.after)
        return self._answer(call)

    def _answer(self, call: Call) -> Any:
        while b"\r\n\r\n" not in self._received:
            self._receive(call)
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        size_bytes = int(fields.get("content-length", "0"))
        while len(self._received) < size_bytes:
            self._receive(call)
        text, self._received = self._received[:size_bytes], self._received[size_bytes:]
        if not 200 <= int(lines[0].split(" ")[1]) < 300:
            raise RuntimeError(f"{call.method} {call.path}: {lines[0]}: {text.decode()[:500]}")
        return json.loads(text) if text else None

    def _receive(self, call: Call) -> None:
        piece = self._socket.recv(65536)
        if not piece:
            raise RuntimeError(f"{call.method} {call.path}: the connection was closed")
        self._received += piece


def send_all(address: Address, calls: Sequence[Call], *, connections: int) -> float:
    """Send requests over as many connections at once; return how many seconds they took."""
    queues = [calls[number::connections] for number in range(connections)]
    with ExitStack() as opened, ThreadPoolExecutor(connections) as executor:
        lines = [opened.enter_context(Connection(address)) for _ in queues]
        began_s = time.perf_counter()
        list(executor.map(_send, lines, queues))
        return time.perf_counter() - began_s


def _send(connection: Connection, calls: Sequence[Call]) -> None:
    for call, content in _opened(calls):
        connection.send(call, content)


def _opened(calls: Sequence[Call]) -> Iterator[tuple[Call, int | None]]:
    """Give each request with its file open."""
    for call in calls:
        if call.body is None:
            yield call, None
            continue
        with call.body.open("rb") as file:
            yield call, file.fileno()
