"""A statsd: a UDP socket that keeps every number it gets."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

_DEADLINE_S: Final = 30.0


class StatsdListener:
    """Listens on a free port of this machine until it is left.

    :ivar port: where it listens
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", self.port))  # the end
        self._thread.join(_DEADLINE_S)
        self._socket.close()

    @property
    def environment(self) -> dict[str, str]:
        """What makes Airflow send its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
        }

    def wait_for(self, name: str) -> list[tuple[float, str]]:
        """Return all values of a metric, each with its kind, once there is one."""
        deadline = time.monotonic() + _DEADLINE_S
        while not (found := self.values(name)):
            assert time.monotonic() < deadline, f"no {name} among {sorted(self._lines)}"
            time.sleep(0.01)
        return found

    def values(self, name: str) -> list[tuple[float, str]]:
        """Return what came of a metric so far: values, and ``c``, ``g`` or ``ms``."""
        found = (line.split(":", 1)[1] for line in list(self._lines) if line.startswith(f"{name}:"))
        return [(float(value.split("|")[0]), value.split("|")[1]) for value in found]

    def _receive(self) -> None:
        while data := self._socket.recv(65536):
            self._lines += data.decode().splitlines()
