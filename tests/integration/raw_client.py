"""A client of the API that knows nothing of ours: requests, and HTTP written by hand."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

import requests

DEADLINE_S: Final = 60.0
#: Patience of a client that is told to come back later.
PATIENCE_S: Final = 240.0
CHUNK: Final = 5 * 1024 * 1024


def content_digest(chunk: bytes) -> str:
    """Return the header by which a chunk's bytes are told (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(chunk).digest()).decode()}:"


def cut(content: bytes, chunk_size: int = CHUNK) -> list[bytes]:
    """Return the chunks of a file."""
    return [content[start : start + chunk_size] for start in range(0, len(content), chunk_size)]


class RawClient:
    """Uploads as one user; each answer is given as it came.

    :param api: address of the API
    :param key: the user's
    """

    def __init__(self, api: str, key: str) -> None:
        self.api = api
        self.key = key
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.api}{path}", timeout=DEADLINE_S, **options)

    def init(self, content: bytes | int, **fields: Any) -> requests.Response:
        announced = {
            "file_name": "clip.mp4",
            "file_size": content if isinstance(content, int) else len(content),
            "content_type": "video/mp4",
            "media_type": "video",
            "chunk_size": CHUNK,
            **fields,
        }
        return self.call("POST", "/media/upload/init", json=announced)

    def opened(self, content: bytes | int, **fields: Any) -> str:
        """Announce a file that is taken; return the upload's id."""
        answer = self.init(content, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["upload_id"])

    def put(
        self, upload_id: str, index: int, chunk: bytes, *, digest: bool = False, **headers: str
    ) -> requests.Response:
        told = {"Content-Digest": content_digest(chunk)} if digest else {}
        path = f"/media/upload/{upload_id}/chunks/{index}"
        return self.call("PUT", path, data=chunk, headers={**told, **headers})

    def put_form(self, upload_id: str, index: int, chunk: bytes) -> requests.Response:
        fields = {"upload_id": upload_id, "chunk_index": str(index)}
        files = {"file": ("blob", chunk, "application/octet-stream")}
        return self.call("POST", "/media/upload/chunk", data=fields, files=files)

    def put_all(self, upload_id: str, chunks: Sequence[bytes]) -> None:
        for index, chunk in enumerate(chunks):
            answer = self.put(upload_id, index, chunk)
            assert answer.status_code == 200, answer.text

    def sent(self, content: bytes, **fields: Any) -> str:
        """Announce a file and send all of it; return the upload's id."""
        upload_id = self.opened(content, **fields)
        self.put_all(upload_id, cut(content))
        return upload_id

    def status(self, upload_id: str) -> requests.Response:
        return self.call("GET", f"/media/upload/{upload_id}/status")

    def finalize(self, upload_id: str, **fields: Any) -> requests.Response:
        return self.call("POST", f"/media/upload/{upload_id}/finalize", json=fields)

    def give_up(self, upload_id: str) -> requests.Response:
        return self.call("DELETE", f"/media/upload/{upload_id}")


class PatientClient(RawClient):
    """Asks again when the server is busy, after as long as it says; each other answer is good.

    Each request has a connection of its own: one that the server gave up just then, as it does
    with those that are silent for some seconds, looks like a request that it lost.
    """

    def __init__(self, api: str, key: str) -> None:
        super().__init__(api, key)
        self.session.headers["Connection"] = "close"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        ends_at = time.monotonic() + PATIENCE_S
        while (answer := super().call(method, path, **options)).status_code == 503:
            assert time.monotonic() < ends_at, answer.text
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.ok, answer.text
        return answer


def said(answer: requests.Response) -> tuple[int, str]:
    """Return the status and slug of an error."""
    return answer.status_code, answer.json()["reason"]


class RawPut:
    """A PUT of a chunk, written to its connection by hand; it expects 100 before it sends."""

    def __init__(self, client: RawClient, upload_id: str, index: int, *, length: int) -> None:
        url = urlsplit(client.api)
        assert url.hostname is not None
        self.connection = socket.create_connection((url.hostname, url.port or 80), DEADLINE_S)
        head = (
            f"PUT {url.path}/media/upload/{upload_id}/chunks/{index} HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\nAuthorization: Bearer {client.key}\r\n"
            f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        )
        self.connection.sendall(head.encode("latin-1"))

    def wait_for_go(self) -> None:
        """Wait until the server wants the body, of a request that expects 100.

        It does so once it has checked all that can be checked before, and opened the chunk.
        """
        told = b""
        while not told.endswith(b"\r\n\r\n"):
            more = self.connection.recv(1)
            assert more, f"the server hung up after {told!r}"
            told += more
        assert told.startswith(b"HTTP/1.1 100 "), told

    def send(self, block: bytes) -> None:
        self.connection.sendall(block)

    def answer(self) -> tuple[int, bytes]:
        """Return the status and body of the answer."""
        with closing(HTTPResponse(self.connection)) as answer:
            answer.begin()
            return answer.status, answer.read()

    def hang_up(self) -> None:
        self.connection.close()
