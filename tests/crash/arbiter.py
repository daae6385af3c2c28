"""Hears of each point that a task reaches, and kills the task there from outside, or lets it go."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: Who decides: it returns True to have the process killed where it stands.
Decide = Callable[["Arrival"], bool]


@dataclass(frozen=True)
class Arrival:
    """One process at one point.

    :param post_id: None in the tasks that work on the whole run
    :param visit: which process of this try it is; a deferred task has a second one
    :param what: "before COMMIT", "after POST /path", ...
    :param ordinal: how often this process has reached the like, from 1 on
    """

    pid: int
    task_id: str
    run_id: str
    map_index: int
    try_number: int
    post_id: int | None
    what: str
    ordinal: int
    visit: int = 1

    @property
    def task(self) -> tuple[str, str, int]:
        """The task instance."""
        return self.run_id, self.task_id, self.map_index

    @property
    def task_name(self) -> str:
        """The task's id without its group."""
        return self.task_id.rpartition(".")[2]


class Arbiter:
    """Listens on a socket; tracers connect, one connection a process.

    :param path: of the socket; short, because the system limits it to 107 bytes
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decide: Decide = lambda _: False
        self._visits: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        self._lock = threading.Lock()
        arbiter = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    arrival = arbiter._arrival(json.loads(line))
                    if arbiter.decide(arrival):
                        os.kill(arrival.pid, signal.SIGKILL)
                        return
                    self.wfile.write(b"go")

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                arbiter.fail()

        self._server = Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._trouble: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self) -> None:
        """Keep the first error of a handler, for :meth:`check`."""
        error = sys.exception()
        if not isinstance(error, BrokenPipeError | ConnectionResetError):
            self._trouble = self._trouble or error

    def check(self) -> None:
        """Raise what went wrong in deciding."""
        if self._trouble is not None:
            raise self._trouble

    def _arrival(self, fields: dict[str, Any]) -> Arrival:
        arrival = Arrival(**fields)
        with self._lock:
            visits = self._visits[(*arrival.task, arrival.try_number)]
            if arrival.pid not in visits:
                visits.append(arrival.pid)
            visit = visits.index(arrival.pid) + 1
        return Arrival(**fields, visit=visit)
