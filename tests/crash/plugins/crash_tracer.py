"""Tells the arbiter of each point of a task at which a crash matters, and waits for its answer.

The scheduler loads it, and the workers and tasks forked from it inherit what it hooks: the product
does not know that it is watched. A point is just before or just after a COMMIT of the ledger or an
HTTP request; the arbiter lets the process go on, or kills it there.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import Counter
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

#: Path of the arbiter's socket; nothing is traced where it is not set.
SOCKET_VARIABLE = "CRASH_ARBITER_SOCKET"

#: Where a connection of the ledger keeps what its transaction's end is called.
_COMMIT = "crash_tracer_commit"


class Tracer:
    """What one process knows of itself; a fork begins anew."""

    def __init__(self) -> None:
        self._pid = 0
        self._task_instance: Any = None
        self._socket: socket.socket | None = None
        self._passed: Counter[str] = Counter()

    def began(self, task_instance: Any) -> None:
        """Remember the task of this process, for what it does when it is not executed any more."""
        self._begin_anew_after_fork()
        self._task_instance = task_instance

    def reach(self, what: str) -> None:
        """Say that this process is about to do something or has just done it; may not return."""
        if threading.current_thread() is not threading.main_thread():
            return  # heartbeats come by the clock, so they are no step of the way
        self._begin_anew_after_fork()
        ti = _executing_task_instance() or self._task_instance
        if ti is None:
            return
        self._passed[what] += 1
        self._ask(
            {
                "pid": self._pid,
                "task_id": ti.task_id,
                "run_id": ti.run_id,
                "map_index": ti.map_index,
                "try_number": ti.try_number,
                "post_id": getattr(ti.task, "post_id", None),
                "what": what,
                "ordinal": self._passed[what],
            }
        )

    def _begin_anew_after_fork(self) -> None:
        if self._pid != os.getpid():
            self.__init__()  # type: ignore[misc]
            self._pid = os.getpid()

    def _ask(self, point: dict[str, Any]) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(os.environ[SOCKET_VARIABLE])
        self._socket.sendall(json.dumps(point).encode() + b"\n")
        if not self._socket.recv(16):
            raise ConnectionError("the arbiter is gone")


tracer = Tracer()


def _executing_task_instance() -> Any:
    from airflow.sdk import get_current_context

    try:
        return get_current_context()["ti"]
    except RuntimeError:
        return None


def _trace_commits() -> None:
    ledger_url = os.environ["REELFLOW_DATABASE_URL"]

    def is_ledger(connection: Connection) -> bool:
        return connection.engine.url.render_as_string(hide_password=False) == ledger_url

    def executed(
        connection: Connection,
        _cursor: Any,
        _statement: str,
        _values: Any,
        context: Any,
        _many: bool,
    ) -> None:
        if is_ledger(connection) and (context.isinsert or context.isupdate or context.isdelete):
            connection.info[_COMMIT] = "COMMIT"

    def before(connection: Connection) -> None:
        if is_ledger(connection):
            what = connection.info.setdefault(_COMMIT, "COMMIT of a read")
            tracer.reach(f"before {what}")

    do_commit = DefaultDialect.do_commit

    # SQLAlchemy's event comes before the COMMIT only; this is the method that runs it.
    def commit(dialect: DefaultDialect, dbapi_connection: Any) -> None:
        do_commit(dialect, dbapi_connection)
        what = dbapi_connection.info.pop(_COMMIT, None)
        if what is not None:
            tracer.reach(f"after {what}")

    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", before)
    DefaultDialect.do_commit = commit  # type: ignore[method-assign]


def _trace_requests() -> None:
    send = HTTPAdapter.send

    def traced(adapter: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        what = f"{request.method} {urlsplit(request.url).path}"
        tracer.reach(f"before {what}")
        response = send(adapter, request, *args, **kwargs)
        tracer.reach(f"after {what}")
        return response

    HTTPAdapter.send = traced  # type: ignore[method-assign]


@cache
def install() -> None:
    """Hook, once, into every engine and HTTP session that this process and its children use."""
    _trace_commits()
    _trace_requests()
