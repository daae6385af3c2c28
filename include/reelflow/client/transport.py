"""How bytes travel to the server: one HTTP request, bounded, never repeated or redirected."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError

from reelflow.exceptions import ConfigurationError, ReelflowError, ServerUnavailableError
from reelflow.http.session import new_session, route_to

#: Longest answer that is read; a page of posts has some hundred kilobytes.
ANSWER_MAX_BYTES: Final = 4 * 1024 * 1024
_CONNECTIONS: Final = 16


class Body(Protocol):
    """The body of a request: of a known length, given block by block."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Any: ...


@dataclass(frozen=True)
class Timeouts:
    """The client's patience with one request.

    :param connect_s: longest wait for a connection, and longest stall while a body is sent
    :param silence_s: longest silence before and in an answer
    :param answer_s: longest time from its first line to its last byte
    """

    connect_s: float = 30
    silence_s: float = 120
    answer_s: float = 120


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its headers by lower-case names, its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Transport:
    """Connections to one server, kept open between calls; threads may send at once.

    :param url: as :func:`reelflow.client.address.api_url` gives it
    :param api_key: goes to this server alone: a redirect is an answer like any other
    """

    def __init__(self, url: str, api_key: str, timeouts: Timeouts) -> None:
        self._url = url
        self._timeouts = timeouts
        self._session = _new_session(api_key)
        self._route = route_to(url)
        self.host = urlsplit(url).netloc

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one request.

        :raises ServerUnavailableError: it got no whole answer, and may have been carried out
        :raises ConfigurationError: the server's certificate is not trusted here
        """
        failure: ReelflowError
        try:
            with self._session.request(
                method,
                self._url + path,
                json=json,
                data=body,
                headers=dict(headers or {}),
                params=dict(query or {}),
                timeout=(self._timeouts.connect_s, self._timeouts.silence_s),
                allow_redirects=False,
                stream=True,
                **self._route,
            ) as response:
                lowered = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, lowered, self._read(response))
        except (requests.RequestException, HTTPError, TimeoutError, UnicodeError) as error:
            # Raised outside of the clause: the chain of exceptions would show the request.
            failure = self._as_failure(error)
        raise failure

    def _read(self, response: requests.Response) -> bytes:
        """Read an answer of bounded size and time, as it comes."""
        body, ends_at = bytearray(), time.monotonic() + self._timeouts.answer_s
        while piece := response.raw.read1(65536, decode_content=False):
            body += piece
            if len(body) > ANSWER_MAX_BYTES or time.monotonic() > ends_at:
                raise requests.exceptions.ContentDecodingError("the answer does not end")
        return bytes(body)

    def _as_failure(self, error: Exception) -> ReelflowError:
        reasons = list(_reasons(error))
        if any(isinstance(reason, ssl.SSLCertVerificationError) for reason in reasons):
            return ConfigurationError(
                f"the certificate of {self.host} is not trusted here: check the address, or set "
                "REQUESTS_CA_BUNDLE to the file of certificates that vouch for it",
                code="certificates",
            )
        return ServerUnavailableError(
            f"{self.host} does not answer ({type(reasons[-1]).__name__}): check the address, that "
            "`reelflow serve` runs there, and the network"
        )


def _new_session(api_key: str) -> requests.Session:
    session = new_session(HTTPAdapter(max_retries=0, pool_maxsize=_CONNECTIONS))
    session.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # so that no small answer becomes a large one
            "Authorization": f"Bearer {api_key}",
        }
    )
    return session


def _reasons(error: BaseException) -> Iterable[BaseException]:
    """Give an error and what it was made of, the cause last."""
    for _ in range(8):
        yield error
        inner: BaseException | None = error.reason if isinstance(error, MaxRetryError) else None
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None:
            return
        error = inner
