"""A connection whose encryption breaks in the middle of an object."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reelflow.digest import sha256_of
from reelflow.exceptions import StorageUnavailableError
from reelflow.source import BytesSource
from reelflow.storage.s3 import S3Store
from tests.certificates import self_signed
from tests.contract.storage.stores import s3_client

KEY = "media/7.mp4"
CONTENT = bytes(range(256)) * 1024
#: A record of TLS as it should be, but for what is in it.
DAMAGED_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)


class BreakingServer(ThreadingHTTPServer):
    """Gives one object; of the next ``breaks`` answers, half."""

    breaks = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BreakingServer

    def do_HEAD(self) -> None:
        self.answer(200, CONTENT)

    def do_GET(self) -> None:
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        content = CONTENT[int(first) : int(last) + 1]
        self.answer(206, content)
        is_broken, self.server.breaks = self.server.breaks > 0, self.server.breaks - 1
        if not is_broken:
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        os.write(self.connection.fileno(), DAMAGED_RECORD)
        self.close_connection = True

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 08:00:00 GMT")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate := self_signed(tmp_path, "localhost"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with BreakingServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(server: BreakingServer) -> S3Store:
    return S3Store(s3_client(f"https://localhost:{server.server_port}"), "bucket")


def test_what_breaks_once_is_asked_for_again(store: S3Store, server: BreakingServer) -> None:
    with store.open(KEY) as source:
        server.breaks = 1
        assert source.read_at(0, len(CONTENT)) == CONTENT
        server.breaks = 1
        assert sha256_of(source) == BytesSource(CONTENT).identity


def test_what_breaks_each_time_is_the_storages_error(
    store: S3Store, server: BreakingServer
) -> None:
    server.breaks = 100
    with store.open(KEY) as source:
        with pytest.raises(StorageUnavailableError, match=rf"{KEY}: .*cut off \(SSLError\)"):
            source.read_at(0, len(CONTENT))
        with (
            closing(source.stream_at(0, 1)) as stream,
            pytest.raises(StorageUnavailableError, match=KEY),
        ):
            stream.readinto(bytearray(1))
