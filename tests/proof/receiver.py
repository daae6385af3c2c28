"""A webhook on this machine, which keeps the alerts that a stack sends to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

#: Neither is ever to be read in a log: the end of the address, and what signs the messages.
SECRETS: Final = ("T0-secret", "the signing secret")


@dataclass
class Receiver:
    """A webhook that takes what it is told.

    :param told: every message, in the order in which they came
    """

    url: str
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What makes the tasks of a component send alerts here."""
        connection = {"conn_type": "http", "host": self.url, "password": SECRETS[1]}
        return {"AIRFLOW_CONN_REELFLOW_ALERTS": json.dumps(connection)}

    def about(self, file_name: str) -> list[dict[str, Any]]:
        """Return the messages about one file."""
        return [message for message in self.told if message["file_name"] == file_name]


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """Listen on a free port of this machine for a while."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks/{SECRETS[0]}", told)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
