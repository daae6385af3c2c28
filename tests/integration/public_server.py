"""A small server of signed media, as the web application serves them, that TikTok pulls from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reelflow.exceptions import MediaUnreadableError
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH, PublicMedia
from reelflow.services.workspace import Workspace


class PublicServer(ThreadingHTTPServer):
    """Serves the public media of one workspace.

    :ivar workspace: whose media; may be changed between two tests
    :ivar fetched: the ids of what was asked for, in that order
    """

    daemon_threads = True  # a client may keep its connection open

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.workspace = workspace
        self.fetched: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: PublicServer

    def do_GET(self) -> None:
        media_id, expires, signature, _ = self.path.removeprefix(f"{PUBLIC_MEDIA_PATH}/").split("/")
        self.server.fetched.append(media_id)
        try:
            with PublicMedia(self.server.workspace).open(media_id, expires, signature) as file:
                self.send_response(200)
                self.send_header("Content-Type", file.content_type)
                self.send_header("Content-Length", str(file.size_bytes))
                self.end_headers()
                self.wfile.write(file.source.read_at(0, file.size_bytes))
        except MediaUnreadableError:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def serving(workspace: Workspace) -> Iterator[PublicServer]:
    """Serve a workspace's media until the block ends."""
    with PublicServer(workspace) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
