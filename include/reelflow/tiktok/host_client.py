"""What the blocking clients have in common: one JSON host, its timeouts, connections to close."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from reelflow.tiktok.answers import Answer
from reelflow.tiktok.hosts import normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.request import Request
from reelflow.tiktok.transport import Transport


class HostClient:
    """Sends requests to one host, as a context that closes its connections.

    :param host: see :func:`reelflow.tiktok.hosts.normalise_host`
    :param limits: timeouts to keep
    :raises ConfigurationError: if ``host`` cannot be used
    """

    def __init__(self, host: str, limits: TikTokLimits) -> None:
        self._origin = normalise_host(host)
        self._limits = limits
        self._transport = Transport()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, request: Request) -> Answer:
        timeout = (self._limits.connect_timeout_s, self._limits.read_timeout_s)
        url = self._origin + request.path
        return self._transport.send(
            request.method, url, dict(request.headers), request.body, timeout
        )
