"""How a detection engine is reached: one HTTP request, bounded, never redirected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import requests

from reelflow.analysis.answer_deadline import DeadlineAdapter, answered_within
from reelflow.analysis.connection import DetectionConnection
from reelflow.analysis.http_answers import ANSWER_MAX_BYTES, Answer
from reelflow.blocks import blocks_of
from reelflow.exceptions import AnalysisUnavailableError
from reelflow.http.session import new_session, route_to
from reelflow.source import Source

_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class HttpLimits:
    """The client's patience.

    :param connect_timeout_s: longest wait for a connection
    :param read_timeout_s: longest silence before and in an answer
    :param send_timeout_s: longest silence after a whole file was sent, while it is taken in
    :param answer_timeout_s: how much longer than that an answer may take to its last byte
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

    def __init__(self, connection: DetectionConnection, limits: HttpLimits) -> None:
        self._connection = connection
        self._limits = limits
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
        :raises ConfigurationError: the environment names certificates that do not exist
        """
        url = self._connection.base_url + path
        silence_s = self._limits.read_timeout_s if source is None else self._limits.send_timeout_s
        # Raised outside of the except clause: the chain of exceptions would show the request.
        try:
            with (
                answered_within(silence_s + self._limits.answer_timeout_s),
                self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=None if source is None else _Body(source),
                    json=json,
                    timeout=(self._limits.connect_timeout_s, silence_s),
                    allow_redirects=False,
                    stream=True,
                    **route_to(url),
                ) as response,
            ):
                lowered = {name.lower(): value for name, value in response.headers.items()}
                body = _body(response)
            return Answer(response.status_code, lowered, body, self._connection.api_key)
        except (requests.RequestException, UnicodeError, TimeoutError) as error:
            reason = type(error).__name__
        raise AnalysisUnavailableError(
            f"the detection engine at {urlsplit(url).netloc} did not answer ({reason}): check that "
            "it runs, and the network"
        )


def _body(response: requests.Response) -> bytes:
    """Read an answer of bounded size."""
    body = bytearray()
    for piece in response.iter_content(65536):
        body += piece
        if len(body) > ANSWER_MAX_BYTES:
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


def _new_session(connection: DetectionConnection) -> requests.Session:
    session = new_session(DeadlineAdapter())
    session.headers["Accept"] = "application/json"
    if connection.api_key:
        session.headers["Authorization"] = f"Bearer {connection.api_key}"
    return session
