import socket
import ssl
import threading
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from reelflow.domain.chunks import ByteRange
from reelflow.exceptions import ConfigurationError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.source import FileSource
from reelflow.tiktok.source import BLOCK_BYTES, SourceSlice
from reelflow.tiktok.transport import Transport
from tests.certificates import self_signed
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http

POOL = HTTPSConnectionPool("open.tiktokapis.com")
URL = "https://open.tiktokapis.com/upload?upload_token=s3cret"
BEHIND_PROXY = "https://tiktok.invalid/upload"
END = b"the last byte"


def wrapped(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(POOL, URL, reason))


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (wrapped(ConnectTimeoutError()), TikTokUnreachableError),
        (wrapped(ProxyError("no", ConnectTimeoutError())), TikTokUnreachableError),
        (wrapped(ProxyError("no", OSError("Tunnel connection failed: 403 No"))),
         TikTokUnreachableError),
        # What urllib3 makes of a connection that is cut after the request, behind a proxy.
        (wrapped(ProxyError("no", RemoteDisconnected("cut"))), TikTokUnavailableError),
        (wrapped(ProxyError("no", ConnectionResetError())), TikTokUnavailableError),
        (wrapped(SSLError(ssl.SSLCertVerificationError())), TikTokUnreachableError),
        (wrapped(SSLError(ssl.SSLEOFError())), TikTokUnavailableError),
        (requests.ConnectionError(ProtocolError("cut", OSError())), TikTokUnavailableError),
        (requests.ReadTimeout(ReadTimeoutError(POOL, URL, "late")), TikTokUnavailableError),
        (requests.exceptions.ChunkedEncodingError(), TikTokUnavailableError),
    ],
)  # fmt: skip
def test_a_failure_before_the_request_is_told_apart_from_one_after_it(
    raised: Exception, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> NoReturn:
        raise raised

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", fail)
    with pytest.raises(error) as caught:
        Transport().send("PUT", URL, {}, b"", (1, 1))
    assert type(caught.value) is error
    assert caught.value.__context__ is None
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def eight_blocks(tmp_path: Path) -> Iterator[tuple[SourceSlice, list[int]]]:
    """A body of eight blocks, and the positions at which it was read from."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(8 * BLOCK_BYTES - len(END)) + END)
    everything = ByteRange(0, 8 * BLOCK_BYTES - 1, 8 * BLOCK_BYTES)
    reads: list[int] = []
    with path.open("rb") as file:
        body = SourceSlice(
            FileSource(file.fileno()), everything, checkpoint=lambda: reads.append(body.tell())
        )
        yield body, reads


def test_bodies_are_sent_in_large_blocks(
    server: ScriptedServer, eight_blocks: tuple[SourceSlice, list[int]]
) -> None:
    body, reads = eight_blocks
    server.answers = [http(200)]
    Transport().send("PUT", f"http://{server.address}/", {}, body, (10, 10))
    assert reads == [number * BLOCK_BYTES for number in range(8)]


def test_bodies_are_sent_in_large_blocks_also_through_a_proxy(
    cut_behind_proxy: list[bytes], eight_blocks: tuple[SourceSlice, list[int]]
) -> None:
    body, reads = eight_blocks
    with pytest.raises(TikTokUnavailableError):
        Transport().send("PUT", BEHIND_PROXY, {}, body, (10, 10))
    assert reads == [number * BLOCK_BYTES for number in range(8)]
    assert cut_behind_proxy[0].endswith(END)


def test_https_goes_through_the_proxy_and_the_certificates_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, closed_address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed_address}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(TikTokUnreachableError, match="ProxyError"):
        Transport().send("POST", "https://tiktok.invalid/", {}, b"", (1, 1))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")
    with pytest.raises(ConfigurationError, match=r"/nonexistent/ca\.pem"):
        Transport().send("POST", "https://tiktok.invalid/", {}, b"", (1, 1))


def test_a_call_that_is_cut_behind_a_proxy_may_have_been_carried_out(
    cut_behind_proxy: list[bytes],
) -> None:
    """What says of itself that it was never sent is sent again, and may be a second post."""
    with pytest.raises(TikTokUnavailableError):
        Transport().send("POST", BEHIND_PROXY, {}, END, (10, 10))
    assert cut_behind_proxy[0].endswith(END)


@pytest.fixture
def cut_behind_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[bytes]]:
    """Have requests go through a proxy to a host that hangs up; what it received by then."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate := self_signed(tmp_path, "tiktok.invalid"))
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = listener, context, received
        server = threading.Thread(target=tunnel_and_cut, args=arguments, daemon=True)
        server.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield received
        server.join(10)


def tunnel_and_cut(listener: socket.socket, context: ssl.SSLContext, received: list[bytes]) -> None:
    """Be a proxy and the host behind it, which reads one request and hangs up."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as stream:
            request = b""
            while not request.endswith(END):
                request += stream.recv(65536)
            received.append(request)
