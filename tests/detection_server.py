"""A small detection engine: a real HTTP server that analyses by prepared verdicts."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass
class Call:
    """One call as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """One answer instead of the engine's own."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class DetectionServer:
    """Begins an analysis for each POST, finishes it after ``polls_needed`` polls.

    ``interruptions`` are answers that it gives first, instead of its own.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.interruptions: list[Reply] = []
        self.verdict: dict[str, Any] = {
            "is_fake": True, "confidence": 0.93, "processing_seconds": 4.5,
            "details": {"summary": "the face does not blink", "frames": 12},
        }  # fmt: skip
        self.polls_needed = 1
        self.analyses: dict[str, str] = {}
        self._polls: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def forget(self) -> None:
        """Lose every analysis, as an engine does that is started anew."""
        self.analyses.clear()

    def answer(self, call: Call) -> Reply:
        """Return the answer to a call."""
        self.calls.append(call)
        if self.interruptions:
            return self.interruptions.pop(0)
        url = urlsplit(call.path)
        parts = url.path.removeprefix("/v1").strip("/").split("/")
        if call.method == "POST":
            return self._begin(call, parse_qs(url.query)["model_type"][0])
        if parts[1] not in self.analyses:
            return _json(404, {"error": {"message": "no such analysis"}})
        return self._verdict(parts[1]) if parts[2:] == ["verdict"] else self._progress(parts[1])

    def _begin(self, call: Call, model_type: str) -> Reply:
        number = f"an-{len(self.calls)}"
        self.analyses[number] = model_type
        self._polls[number] = 0
        return _json(202, {"analysis_id": number, "estimated_seconds": 3})

    def _progress(self, number: str) -> Reply:
        self._polls[number] += 1
        if self._polls[number] >= self.polls_needed:
            return _json(200, {"status": "completed"})
        return _json(200, {"status": "processing", "remaining_seconds": 2})

    def _verdict(self, number: str) -> Reply:
        told = {"id": f"v-{number}", "model_type": self.analyses[number], **self.verdict}
        return _json(200, told)


def _json(status: int, document: dict[str, Any]) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _handler(server: DetectionServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.answer(Call(self.command, self.path, headers, body))
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _answer  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Keep the tests' output free of it."""

    return Handler
