"""The async status client, for triggers: the only use of httpx."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from reelflow.exceptions import ReelflowError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.tiktok import protocol
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.hosts import normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus


class AsyncStatusClient:
    """Asks where publish tasks stand, without blocking the event loop.

    Use as ``async with AsyncStatusClient(host) as client``.

    :param host: host of the JSON calls; see :func:`reelflow.tiktok.hosts.normalise_host`
    :param limits: timeouts to keep
    :raises ConfigurationError: if ``host`` cannot be used
    """

    def __init__(self, host: str, *, limits: TikTokLimits = TikTokLimits()) -> None:  # noqa: B008 - frozen
        self._origin = normalise_host(host)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            follow_redirects=False,
            trust_env=self._origin.startswith("https://"),  # no proxy before the simulator
            headers={"User-Agent": "reelflow"},
        )

    async def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        """Return where a publish task stands.

        :raises TikTokUnreachableError: if nothing was sent
        :raises TikTokUnavailableError: on 5xx, timeout or a cut connection
        :raises TikTokRejectedError: if TikTok refuses
        """
        request = protocol.prepare_status(access_token, publish_id)
        failure: ReelflowError
        try:
            response = await self._client.post(
                self._origin + request.path, headers=dict(request.headers), content=request.body
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = TikTokUnreachableError(
                f"No connection to {self._origin} could be made ({type(error).__name__})."
                " Check the network, and that the host is right and running."
            )
        except httpx.HTTPError as error:
            failure = TikTokUnavailableError(
                f"The connection to {self._origin} failed during the call ({type(error).__name__})."
            )
        else:
            answer = Answer(response.status_code, response.headers, response.content)
            return protocol.parse_status(answer)
        raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
