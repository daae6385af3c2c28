"""A gateway before the simulator that notes what the ledger holds when a call arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests


@contextmanager
def witness(
    api: str,
    look: Callable[[], Any],
    *,
    before_answer: Callable[[str], None] = lambda path: None,
) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Serve as TikTok's API, forwarding every call after a look at the ledger.

    :param before_answer: called with the path when TikTok has done its work
    :return: where it listens, and a list that gets the path of each call with what was seen
    """
    seen: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.path, look()))
            names = ("Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = requests.post(api + self.path, data=body, headers=headers, timeout=30)
            before_answer(self.path)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()
