"""A deadline over a whole HTTP answer: however slowly it drips, it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Timer
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse


class _Deadline:
    """Cuts one connection when its time is up. A socket's timeout only bounds each silence."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: Timer | None = None
        self.has_passed = False

    def begin(self, connection: socket.socket) -> None:
        """Count from now, as the request was sent."""
        self._timer = Timer(self._seconds, self._cut, [connection])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Let the connection live."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self, connection: socket.socket) -> None:
        self.has_passed = True
        with suppress(OSError):  # it is closed already
            # Not the method of a TLS socket, which is not for another thread than its reader's.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


_current: Final[ContextVar[_Deadline | None]] = ContextVar("answer_deadline", default=None)


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Bound the time between a request's last byte and its answer's, read within the block.

    :raises TimeoutError: it passed, whatever was read until then
    """
    deadline = _Deadline(seconds)
    token = _current.set(deadline)
    try:
        yield
    except Exception:
        if not deadline.has_passed:
            raise
    finally:
        _current.reset(token)
        deadline.end()
    if deadline.has_passed:
        raise TimeoutError(f"the answer was not there after {seconds:g} s")


def _begin(connection: HTTPConnection) -> None:
    deadline = _current.get()
    if deadline is not None and connection.sock is not None:
        deadline.begin(connection.sock)


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as its base's
        _begin(self)
        return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as its base's
        _begin(self)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DeadlineAdapter(HTTPAdapter):
    """Connections whose answers :func:`answered_within` bounds."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of such connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools of such connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
