"""A request whose body is sent by hand, and may stop in the middle."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http.client import HTTPResponse
from urllib.parse import urlsplit


class RawBody:
    """A PUT whose head is sent, and whose body is to come.

    :param size_bytes: what its Content-Length says
    """

    def __init__(self, url: str, headers: Mapping[str, str], size_bytes: int) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._socket = socket.create_connection((address.hostname, address.port or 80), timeout=60)
        known = {"Host": address.netloc, **headers, "Content-Length": str(size_bytes)}
        lines = [f"PUT {address.path} HTTP/1.1", *(f"{name}: {known[name]}" for name in known)]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def answer(self) -> HTTPResponse:
        """Return what is answered to as much as was sent."""
        answer = HTTPResponse(self._socket)
        answer.begin()
        return answer

    def close(self) -> None:
        """Break the connection off."""
        self._socket.close()
