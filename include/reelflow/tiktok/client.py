"""The blocking client of TikTok's posting and display APIs, for workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.exceptions import TikTokUnavailableError
from reelflow.source import Source
from reelflow.tiktok import chunk_put, display, photo_protocol, protocol
from reelflow.tiktok.display_models import UserInfo, Video, VideoPage
from reelflow.tiktok.host_client import HostClient
from reelflow.tiktok.hosts import check_upload_url
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import (
    ChunkAnswer,
    CreatorInfo,
    InitAnswer,
    PhotoPost,
    PostMode,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)
from reelflow.tiktok.request import Request
from reelflow.tiktok.source import SourceSlice


class TikTokClient(HostClient):
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
        super().__init__(host, limits)
        self._extra_upload_hosts = frozenset(name.lower() for name in extra_upload_hosts)
        self._clock = clock

    def creator_info(self, access_token: str) -> CreatorInfo:
        """Return what the account may post now, or raise why it cannot."""
        return protocol.parse_creator_info(self._send(protocol.prepare_creator_info(access_token)))

    def init_video(
        self, access_token: str, post: VideoPost, source: ChunkPlan | PullFromUrl
    ) -> InitAnswer:
        """Open a direct post.

        With a :class:`ChunkPlan` nothing is public before the last byte is sent; with a
        :class:`PullFromUrl` TikTok publishes it without another call.
        """
        return self._init(protocol.prepare_video_init(access_token, post, source), source)

    def init_draft(self, access_token: str, source: ChunkPlan | PullFromUrl) -> InitAnswer:
        """Open a draft in the creator's inbox."""
        return self._init(protocol.prepare_draft_init(access_token, source), source)

    def init_photos(
        self,
        access_token: str,
        post: PhotoPost,
        image_urls: Sequence[str],
        *,
        cover_index: int,
        post_mode: PostMode,
    ) -> InitAnswer:
        """Open a photo post; TikTok pulls the images and publishes it without another call.

        :param image_urls: 1 to 35, on a domain verified for the app
        :param cover_index: the image that is the cover, from 0
        """
        request = photo_protocol.prepare_photo_init(
            access_token, post, image_urls, cover_index=cover_index, post_mode=post_mode
        )
        return protocol.parse_init(self._send(request), is_upload=False)

    def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""
        request = protocol.prepare_status(access_token, publish_id)
        return protocol.parse_status(self._send(request))

    def cancel(self, access_token: str, publish_id: str) -> None:
        """Ask to stop a publish task; only its status says whether that came true."""
        request = protocol.prepare_cancel(access_token, publish_id)
        protocol.parse_cancel(self._send(request))

    def user_info(self, access_token: str, fields: Sequence[str]) -> UserInfo:
        """Return the account's profile.

        :param fields: those the account's scopes allow: see :func:`.display.user_fields`
        """
        request = display.prepare_user_info(access_token, fields)
        return display.parse_user_info(self._send(request))

    def list_videos(
        self, access_token: str, *, cursor: int | None = None, max_count: int = display.VIDEOS_MAX
    ) -> VideoPage:
        """Return one page of the account's public videos, newest first.

        :param cursor: the page before's; None for the newest
        :param max_count: 1 to 20
        """
        request = display.prepare_video_list(access_token, cursor=cursor, max_count=max_count)
        return display.parse_video_list(self._send(request))

    def query_videos(self, access_token: str, ids: Sequence[str]) -> tuple[Video, ...]:
        """Return those of 1 to 20 videos that exist, are public and are the account's."""
        request = display.prepare_video_query(access_token, ids)
        return display.parse_video_query(self._send(request))

    def put_chunk(
        self,
        upload_url: str,
        source: Source,
        byte_range: ByteRange,
        content_type: str,
        *,
        checkpoint: Callable[[], None] | None = None,
    ) -> ChunkAnswer:
        """Send ``byte_range`` of a source, streamed.

        :param upload_url: as the init call gave it
        :param source: stays open
        :param content_type: ``video/mp4``, ``video/quicktime`` or ``video/webm``
        :param checkpoint: called before each block is read; what it raises ends the PUT there
        :raises SourceChangedError: if the source changed, or is shorter than the range
        :raises TikTokRejectedError: if TikTok refuses, or the URL is not one of TikTok's
        """
        url = check_upload_url(upload_url, self._extra_upload_hosts)
        headers = chunk_put.prepare_chunk(byte_range, content_type)
        body = SourceSlice(source, byte_range, checkpoint=self._deadline(byte_range, checkpoint))
        # urllib3 keeps the first of the two timeouts on the socket while the body is sent.
        timeout = (self._limits.put_stall_timeout_s, self._limits.put_answer_timeout_s)
        with closing(body):
            answer = self._transport.send("PUT", url, headers, body, timeout)
        return chunk_put.parse_chunk(answer, byte_range)

    def _init(self, request: Request, source: ChunkPlan | PullFromUrl) -> InitAnswer:
        is_upload = isinstance(source, ChunkPlan)
        opened = protocol.parse_init(self._send(request), is_upload=is_upload)
        if opened.upload_url is not None:
            check_upload_url(opened.upload_url, self._extra_upload_hosts)
        return opened

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
