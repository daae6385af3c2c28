"""The blocking client of TikTok's Content Posting API, for workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.exceptions import TikTokUnavailableError
from reelflow.tiktok import protocol
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.hosts import check_upload_url, normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import ChunkAnswer, CreatorInfo, InitAnswer, PublishStatus, VideoPost
from reelflow.tiktok.source import FileSlice
from reelflow.tiktok.transport import Transport


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
        self._transport = Transport()

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
        answer = self._transport.send("PUT", url, headers, body, timeout)
        return protocol.parse_chunk(answer, byte_range)

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

    def _init(self, request: protocol.Request) -> InitAnswer:
        opened = protocol.parse_init(self._post(request))
        check_upload_url(opened.upload_url, self._extra_upload_hosts)
        return opened

    def _post(self, request: protocol.Request) -> Answer:
        timeout = (self._limits.connect_timeout_s, self._limits.read_timeout_s)
        url = self._origin + request.path
        return self._transport.send("POST", url, dict(request.headers), request.body, timeout)

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
