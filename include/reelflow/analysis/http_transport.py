"""How a detection engine is reached: one HTTP request, bounded, never redirected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Final
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies

from reelflow.analysis.connection import DetectionConnection
from reelflow.analysis.http_answers import ANSWER_MAX_BYTES, Answer
from reelflow.blocks import blocks_of
from reelflow.exceptions import AnalysisUnavailableError
from reelflow.source import Source

_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class HttpLimits:
    """The client's patience.

    :param connect_timeout_s: longest wait for a connection
    :param read_timeout_s: longest silence before and in an answer
    :param send_timeout_s: longest silence after a whole file was sent, while it is taken in
    :param answer_timeout_s: longest time over which an answer may be spread
    :param attempts: how often a call is made
    :param first_pause_s: before a call is repeated; doubled after each further try
    :param longest_pause_s: longest pause; an engine that asks for more is left to a later task
    """

    connect_timeout_s: float = 10
    read_timeout_s: float = 30
    send_timeout_s: float = 300
    answer_timeout_s: float = 60
    attempts: int = 4
    first_pause_s: float = 1
    longest_pause_s: float = 30


class Transport:
    """Connections to one engine, kept open between calls. Not for several threads."""

    def __init__(
        self, connection: DetectionConnection, limits: HttpLimits, *, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._clock = clock
        self._session = _new_session(connection)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        source: Source | None,
        json: dict[str, str] | None,
    ) -> Answer:
        """Make one request, with a file or a JSON object as its body, or none.

        :raises AnalysisUnavailableError: it got no answer
        :raises SourceChangedError: somebody wrote to the file meanwhile
        """
        url = self._connection.base_url + path
        silence_s = self._limits.read_timeout_s if source is None else self._limits.send_timeout_s
        # Raised outside of the except clause: the chain of exceptions would show the request.
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=None if source is None else _Body(source),
                json=json,
                timeout=(self._limits.connect_timeout_s, silence_s),
                allow_redirects=False,
                stream=True,
                proxies=get_environ_proxies(url) if url.startswith("https") else {},
            ) as response:
                lowered = {name.lower(): value for name, value in response.headers.items()}
                body = self._body(response)
                return Answer(response.status_code, lowered, body, self._connection.api_key)
        except (requests.RequestException, UnicodeError) as error:
            reason = type(error).__name__
        raise AnalysisUnavailableError(
            f"the detection engine at {urlsplit(url).netloc} did not answer ({reason}): check that "
            "it runs, and the network"
        )

    def _body(self, response: requests.Response) -> bytes:
        """Read an answer of bounded size in bounded time."""
        ends_at = self._clock() + self._limits.answer_timeout_s
        body = bytearray()
        for piece in response.iter_content(65536):
            body += piece
            if len(body) > ANSWER_MAX_BYTES or self._clock() > ends_at:
                raise requests.exceptions.ContentDecodingError("the answer does not end")
        return bytes(body)


class _Body:
    """A file as the body of a request, of a known length: in one pass, a block at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return self._source.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        return map(bytes, blocks_of(self._source, block_bytes=_BLOCK_BYTES))


class _Session(requests.Session):
    """Looks at no ``Location``: what an engine answers sends no file to anybody else."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that an answer redirects nowhere."""


def _new_session(connection: DetectionConnection) -> requests.Session:
    session = _Session()
    session.trust_env = False  # ~/.netrc would replace the key
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.headers.update({"User-Agent": "reelflow", "Accept": "application/json"})
    if connection.api_key:
        session.headers["Authorization"] = f"Bearer {connection.api_key}"
    return session
