"""A strict token server: rotates at every refresh, kills the old tokens, counts its refreshes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from reelflow.tiktok.oauth import OAuthClient

CLIENT_KEY, CLIENT_SECRET = "the-key", "the-secret"


class TokenServer:
    """Knows one account. Not the simulator: it can be held between rotating and answering.

    :param url: where it listens
    """

    def __init__(self, url: str, open_id: str = "open-acme") -> None:
        self.url = url
        self.open_id = open_id
        self.refresh_token = "rft.0"
        self.access_token = "act.0"
        self.refreshes = 0
        self.revoked: list[str] = []
        #: Answers in the place of its own, as status and body; an empty body cuts the connection.
        self.scripted: list[tuple[int, bytes]] = []
        self.has_rotated = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._lock = threading.Lock()

    def client(self) -> OAuthClient:
        return OAuthClient(self.url, CLIENT_KEY, CLIENT_SECRET)

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        """Answer a refresh or a revoke."""
        with self._lock:
            if self.scripted:
                return self.scripted.pop(0)
            if path.endswith("/revoke/"):
                if form["token"] != self.access_token:
                    return 200, b'{"error": "invalid_request", "error_description": "expired"}'
                self.revoked.append(form["token"])
                return 200, b""
            if form["refresh_token"] != self.refresh_token:
                return 200, b'{"error": "invalid_grant", "error_description": "spent"}'
            self.refreshes += 1
            self.access_token = f"act.{self.refreshes}"
            self.refresh_token = f"rft.{self.refreshes}"
            body = self.grant()
        self.has_rotated.set()
        self.may_answer.wait(30)
        return 200, body

    def grant(self, **other: object) -> bytes:
        fields = {
            "access_token": self.access_token,
            "expires_in": 86_400,
            "open_id": self.open_id,
            "refresh_expires_in": 31_536_000,
            "refresh_token": self.refresh_token,
            "scope": "user.info.basic,video.publish",
            "token_type": "Bearer",
        }
        return json.dumps(fields | other).encode()


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """Run a server on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            status, body = told.answer(self.path, form)
            if not body and status != 200:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = TokenServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        told.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
