"""A server that answers with prepared bytes and keeps what it was sent."""

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from typing import Any


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Build an answer; underscores in names of headers become hyphens."""
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ok(data: dict[str, Any]) -> bytes:
    """Build the answer of a JSON call that succeeds."""
    return http(200, json.dumps({"data": data, "error": {"code": "ok"}}).encode())


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers each request with the next of ``answers``.

    With ``is_cutting`` it cuts the connection after each answer, of however few bytes.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.answers: list[bytes] = []
        self.received: list[Received] = []
        self.is_cutting = False

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return len(self._open)

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with connection, contextlib.suppress(ConnectionError):
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while line := stream.readline():
                headers = {}
                while header := stream.readline().strip():
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", 0)))
                if len(body) < int(headers.get("content-length", 0)):
                    return
                self.received.append(Received(line.decode().strip(), headers, body))
                connection.sendall(self.answers.pop(0))
                if self.is_cutting:
                    return
