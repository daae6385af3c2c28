"""The blocking client of TikTok's Content Posting API, for workers: the only use of requests."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.exceptions import ReelflowError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.tiktok import protocol
from reelflow.tiktok.hosts import check_upload_url, normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import ChunkAnswer, CreatorInfo, InitAnswer, PublishStatus, VideoPost
from reelflow.tiktok.protocol import Answer, Request
from reelflow.tiktok.source import BLOCK_BYTES, FileSlice

ANSWER_MAX_BYTES = 1024 * 1024
"""Longest body that is read; TikTok's have a few hundred bytes."""


class TikTokClient:
    """Calls TikTok. Each method is one HTTP request, never repeated and never redirected.

    Every method raises :class:`TikTokUnreachableError` if nothing was sent, and
    :class:`TikTokUnavailableError` if the call may have been carried out. Not for several threads.

    :param host: host of the JSON calls; see :func:`reelflow.tiktok.hosts.normalise_host`
    :param limits: timeouts to keep
    :param extra_upload_hosts: hosts beside TikTok's that may get bytes: the simulator's
    :param clock: monotonic seconds, which limit the time of a chunk
    :raises ConfigurationError: if ``host`` cannot be used
    """

    def __init__(
        self,
        *,
        host: str,
        limits: TikTokLimits = TikTokLimits(),  # noqa: B008 - frozen
        extra_upload_hosts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = normalise_host(host)
        self._limits = limits
        self._extra_upload_hosts = frozenset(name.lower() for name in extra_upload_hosts)
        self._clock = clock
        self._session = _new_session()

    def creator_info(self, access_token: str) -> CreatorInfo:
        """Return what the account may post now, or raise why it cannot."""
        return protocol.parse_creator_info(self._post(protocol.prepare_creator_info(access_token)))

    def init_video(self, access_token: str, post: VideoPost, plan: ChunkPlan) -> InitAnswer:
        """Open a direct post. Nothing is public before the last byte is sent."""
        return self._init(protocol.prepare_video_init(access_token, post, plan))

    def init_draft(self, access_token: str, plan: ChunkPlan) -> InitAnswer:
        """Open a draft in the creator's inbox."""
        return self._init(protocol.prepare_draft_init(access_token, plan))

    def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""
        request = protocol.prepare_status(access_token, publish_id)
        return protocol.parse_status(self._post(request))

    def put_chunk(
        self,
        upload_url: str,
        source_fd: int,
        byte_range: ByteRange,
        content_type: str,
        *,
        checkpoint: Callable[[], None] | None = None,
    ) -> ChunkAnswer:
        """Send ``byte_range`` of an open file, streamed.

        :param upload_url: as the init call gave it
        :param source_fd: descriptor of the file; stays open
        :param content_type: ``video/mp4``, ``video/quicktime`` or ``video/webm``
        :param checkpoint: called before each block is read; what it raises ends the PUT there
        :raises SourceChangedError: if the file is shorter than the range
        :raises TikTokRejectedError: if TikTok refuses, or the URL is not one of TikTok's
        """
        url = check_upload_url(upload_url, self._extra_upload_hosts)
        headers = protocol.prepare_chunk(byte_range, content_type)
        body = FileSlice(source_fd, byte_range, checkpoint=self._deadline(byte_range, checkpoint))
        # urllib3 keeps the first of the two timeouts on the socket while the body is sent.
        timeout = (self._limits.put_stall_timeout_s, self._limits.put_answer_timeout_s)
        answer = self._send("PUT", url, headers, body, timeout)
        return protocol.parse_chunk(answer, byte_range)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _init(self, request: Request) -> InitAnswer:
        opened = protocol.parse_init(self._post(request))
        check_upload_url(opened.upload_url, self._extra_upload_hosts)
        return opened

    def _post(self, request: Request) -> Answer:
        timeout = (self._limits.connect_timeout_s, self._limits.read_timeout_s)
        url = self._origin + request.path
        return self._send("POST", url, dict(request.headers), request.body, timeout)

    def _deadline(
        self, byte_range: ByteRange, checkpoint: Callable[[], None] | None
    ) -> Callable[[], None]:
        """Return a checkpoint that also ends a PUT which takes too long.

        Deciding that a dead upload can no longer complete needs an upper bound on a PUT's time;
        timeouts of the socket alone give none, because each byte that passes starts them again.
        """
        ends_at = self._clock() + self._limits.put_timeout_s

        def check() -> None:
            if checkpoint is not None:
                checkpoint()
            if self._clock() > ends_at:
                raise TikTokUnavailableError(
                    f"Sending {byte_range.content_range} took over {self._limits.put_timeout_s:g}"
                    " s: the way to TikTok is too slow. Check the network.",
                    code="put_timeout",
                )

        return check

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | FileSlice,
        timeout: tuple[float, float],
    ) -> Answer:
        """Make one request. Errors are raised outside of the except clause: the ones of requests
        carry the URL, and with it the credential of an upload, which a chain would show."""
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
                **_route(url),
            ) as response:
                return Answer(response.status_code, response.headers, _read_body(response))
        except requests.RequestException as error:
            failure = _as_failure(error, self._origin if method == "POST" else "the upload host")
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
    """Return a session that sends what it is told and nothing else."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_HIDE_QUERIES)
    session = requests.Session()
    # From the environment requests would also take ~/.netrc, whose password replaces the bearer
    # token and would be sent to the upload host; _route() takes proxies and certificates only.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "reelflow"
    adapter = _BlockAdapter(max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _route(url: str) -> dict[str, Any]:
    """Return proxies and certificates of the environment; plain http, the simulator, has none."""
    if url.startswith("http://"):
        return {"proxies": {}, "verify": True}
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return {"proxies": get_environ_proxies(url), "verify": bundle or True}


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
    if isinstance(cause, NewConnectionError | ConnectTimeoutError | ProxyError):
        return TikTokUnreachableError(
            f"No connection to {where} could be made ({reason}), so nothing was sent."
            " Check the network, and that the host is right and running."
        )
    return TikTokUnavailableError(
        f"The connection to {where} failed during the call ({reason}): it may or may not have been"
        " carried out."
    )
