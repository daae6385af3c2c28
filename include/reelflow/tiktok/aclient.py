"""The async status client, for triggers: the only use of httpx."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import httpx

from reelflow.exceptions import ReelflowError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.tiktok import protocol
from reelflow.tiktok.answers import ANSWER_MAX_BYTES, Answer
from reelflow.tiktok.hosts import normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus
from reelflow.tiktok.request import Request

# Twenty calls on their way at once carry far more than 50 accounts' 30 calls a minute, and a
# connection outlives the pause between two polls, so that each costs no new handshake.
_POOL: Final = httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=120)


class AsyncStatusClient:
    """Asks where publish tasks stand, without blocking the event loop.

    Use as ``async with AsyncStatusClient(host) as client``, and one for all tasks of a process: it
    keeps connections open between calls, and making it costs more than 20 calls do.

    :param host: host of the JSON calls; see :func:`reelflow.tiktok.hosts.normalise_host`
    :param limits: timeouts to keep
    :raises ConfigurationError: if ``host`` cannot be used
    """

    def __init__(self, host: str, *, limits: TikTokLimits = TikTokLimits()) -> None:  # noqa: B008 - frozen
        self._origin = normalise_host(host)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            limits=_POOL,
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
        answer = await self._send(protocol.prepare_status(access_token, publish_id))
        return protocol.parse_status(answer)

    async def _send(self, request: Request) -> Answer:
        # Raised outside of the except clause, so that no chain of exceptions shows the token.
        failure: ReelflowError
        try:
            async with self._client.stream(
                request.method,
                self._origin + request.path,
                headers=dict(request.headers),
                content=request.body,
            ) as response:
                return Answer(response.status_code, response.headers, await _read_body(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            failure = TikTokUnreachableError(
                f"No connection to {self._origin} could be made ({type(error).__name__})."
                " Check the network, and that the host is right and running."
            )
        except httpx.HTTPError as error:
            failure = TikTokUnavailableError(
                f"The connection to {self._origin} failed during the call ({type(error).__name__})."
            )
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


async def _read_body(response: httpx.Response) -> bytes:
    """Read an answer of bounded size; the request asked for no encoding of it."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > ANSWER_MAX_BYTES:
            raise httpx.DecodingError("the answer does not end")
    return bytes(body)
