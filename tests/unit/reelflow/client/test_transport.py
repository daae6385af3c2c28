import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from reelflow.client.transport import ANSWER_MAX_BYTES, Timeouts, Transport
from reelflow.exceptions import ConfigurationError, ServerUnavailableError
from tests.certificates import self_signed
from tests.scripted_intake import KEY, Call, Reply, ScriptedIntake

TIMEOUTS = Timeouts(connect_s=5, silence_s=5, answer_s=0.5)


def transport(url: str) -> Transport:
    return Transport(url, KEY, TIMEOUTS)


@contextmanager
def raw_server(
    talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Answer one connection byte for byte."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with tls.wrap_socket(connection, server_side=True) if tls else connection as connection:
                connection.recv(65536)
                talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join(10)


def test_the_key_goes_with_every_call(server: ScriptedIntake) -> None:
    transport(server.url).send("GET", "/any", query={"account": "a b"})
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.calls[0].query == {"account": ["a b"]}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_the_key_goes_nowhere_else(
    server: ScriptedIntake, status: int
) -> None:
    with ScriptedIntake() as other:
        server.fault = lambda _: Reply(status, headers={"Location": f"{other.url}/x"})
        answer = transport(server.url).send("GET", "/posts")
        assert answer.status == status
        assert other.calls == []
    assert len(server.calls) == 1


def test_no_cookie_is_kept(server: ScriptedIntake) -> None:
    client = transport(server.url)
    server.fault = lambda _: Reply(headers={"Set-Cookie": "id=1; Path=/"})
    client.send("GET", "/a")
    client.send("GET", "/b")
    assert all("cookie" not in call.headers for call in server.calls)


def test_a_password_in_the_home_folder_does_not_replace_the_key(
    server: ScriptedIntake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mia password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    transport(server.url).send("GET", "/posts")
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


def test_who_does_not_answer_is_named_without_the_key(server: ScriptedIntake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ServerUnavailableError, match=r"127\.0\.0\.1:.* does not answer") as caught:
        transport(url).send("GET", "/posts")
    assert KEY not in repr(caught.value)
    assert caught.value.__context__ is None


def test_an_answer_that_is_cut_is_no_answer() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"posts": []}')

    with raw_server(talk) as url, pytest.raises(ServerUnavailableError):
        transport(url).send("GET", "/posts")


def test_an_answer_without_end_is_left() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        with suppress(OSError):
            for _ in range(2 * ANSWER_MAX_BYTES // 65536):
                connection.sendall(b" " * 65536)

    with raw_server(talk) as url, pytest.raises(ServerUnavailableError):
        transport(url).send("GET", "/posts")


def test_an_answer_that_drips_is_left() -> None:
    done = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with suppress(OSError):
            while not done.wait(0.05):
                connection.sendall(b" ")

    begun = time.monotonic()
    with raw_server(talk) as url:
        with pytest.raises(ServerUnavailableError):
            transport(url).send("GET", "/posts")
        done.set()
    assert time.monotonic() - begun < 4


def test_what_is_no_http_is_no_answer() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with raw_server(talk) as url, pytest.raises(ServerUnavailableError):
        transport(url).send("GET", "/posts")


def test_a_certificate_that_nobody_vouches_for_is_no_matter_of_time(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, "localhost"))

    def talk(connection: socket.socket) -> None:
        """Nobody gets so far."""

    with (
        raw_server(talk, context) as url,
        pytest.raises(ConfigurationError, match="not trusted here"),
    ):
        transport(url.replace("http://127.0.0.1", "https://localhost")).send("GET", "/posts")


def test_a_file_of_certificates_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with pytest.raises(ConfigurationError, match=r"/none\.pem, which does not exist"):
        transport("https://127.0.0.1:1")


def test_many_threads_may_send_at_once(server: ScriptedIntake) -> None:
    client = transport(server.url)
    together = threading.Barrier(4, timeout=10)

    def meet(_: Call) -> None:
        together.wait()

    server.fault = meet
    threads = [
        threading.Thread(target=client.send, args=("GET", f"/reelflow/api/v1/{number}"))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(server.calls) == 4
