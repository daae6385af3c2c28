"""How bytes travel: one HTTP request, bounded, never repeated or redirected; the only requests."""

from __future__ import annotations

import logging
import re
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from reelflow.exceptions import ReelflowError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.http.session import new_session, route_to
from reelflow.tiktok.answers import ANSWER_MAX_BYTES, Answer
from reelflow.tiktok.source import BLOCK_BYTES, SourceSlice

#: How urllib3 says that a proxy refused to connect to the host (urllib3/connection.py).
_NO_TUNNEL: Final = "Tunnel connection failed"


class Transport:
    """Connections to TikTok's hosts, kept open between calls. Not for several threads."""

    def __init__(self) -> None:
        self._session = _new_session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | SourceSlice,
        timeout: tuple[float, float],
    ) -> Answer:
        """Make one request.

        :param timeout: seconds for connecting (and for each step of sending), and for answering
        :raises TikTokUnreachableError: if nothing was sent
        :raises TikTokUnavailableError: if the request may have been carried out
        :raises ConfigurationError: if the environment names certificates that do not exist
        """
        # Raised outside of the except clause: the errors of requests carry the URL, and with it
        # the credential of an upload, which a chain of exceptions would show.
        failure: ReelflowError
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                **route_to(url),
            ) as response:
                return Answer(response.status_code, response.headers, _read_body(response))
        except requests.RequestException as error:
            failure = _as_failure(error, urlsplit(url).netloc)
        raise failure


class _BlockAdapter(HTTPAdapter):
    """Sends bodies in larger blocks than urllib3's 16 KiB, at two thirds of the CPU time."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=BLOCK_BYTES, **kwargs)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, blocksize=BLOCK_BYTES, **proxy_kwargs)


class _HideQueries(logging.Filter):
    """Cuts queries out of urllib3's debug lines: an upload URL's query is its credential."""

    _QUERY = re.compile(r"\?[^\s'\"]*")

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record's arguments; let every record pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                self._QUERY.sub("?…", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


_HIDE_QUERIES = _HideQueries()


def _new_session() -> requests.Session:
    """Return a session whose log tells no credential."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_HIDE_QUERIES)
    return new_session(_BlockAdapter(max_retries=0))


def _read_body(response: requests.Response) -> bytes:
    """Read an answer of bounded size."""
    body = bytearray()
    for piece in response.iter_content(65536):
        body += piece
        if len(body) > ANSWER_MAX_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer does not end")
    return bytes(body)


def _as_failure(error: requests.RequestException, where: str) -> ReelflowError:
    """Return our error for one of requests, telling "never sent" from "perhaps carried out"."""
    cause = error.args[0] if error.args else None
    cause = cause.reason if isinstance(cause, MaxRetryError) else cause
    reason = type(cause if isinstance(cause, Exception) else error).__name__
    if _was_never_sent(cause):
        return TikTokUnreachableError(
            f"No connection to {where} could be made ({reason}), so nothing was sent."
            " Check the network, proxy and certificates, and that the host is right and running."
        )
    return TikTokUnavailableError(
        f"The connection to {where} failed during the call ({reason}): it may or may not have been"
        " carried out."
    )


def _was_never_sent(cause: object) -> bool:
    """Whether the connection failed before the request could be written to it."""
    if isinstance(cause, SSLError) and cause.args:
        return isinstance(cause.args[0], ssl.SSLCertVerificationError)
    if isinstance(cause, ProxyError):
        # Also what was cut after the request was sent: by then urllib3 2.8 has forgotten that the
        # connection through the proxy stood.
        error = cause.original_error
        return _was_never_sent(error) or str(error).startswith(_NO_TUNNEL)
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)
