"""A road between a client and a server that can be slow, and cut: a TCP proxy."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Final, Self

_BLOCK_BYTES: Final = 16 * 1024


class SlowRoad:
    """Passes connections on to a port of this machine, at most so many bytes a second to it.

    :param port: may be changed while it runs: where the server is after it was started anew
    """

    def __init__(self, port: int, bytes_per_s: float) -> None:
        self.port = port
        self.sent_bytes = 0
        self._bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(10)

    def cut(self) -> None:
        """End every connection at once, as a network does that is lost."""
        with self._lock:
            ended, self._open = self._open, set()
        for connection in ended:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as far:
            with self._lock:
                self._open |= {near, far}
            back = threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True)
            back.start()
            self._pass_on(near, far, True)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_slow: bool) -> None:
        with suppress(OSError):
            while block := source.recv(_BLOCK_BYTES):
                if is_slow:
                    with self._lock:  # one lane: connections share it
                        self.sent_bytes += len(block)
                        time.sleep(len(block) / self._bytes_per_s)
                target.sendall(block)
        for connection in (source, target):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
