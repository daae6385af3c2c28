"""Sending chunks: the same one again after a failure, and on from where TikTok stands."""

from __future__ import annotations

import logging
from typing import Final

from reelflow.domain.chunks import ByteRange, ChunkPlan
from reelflow.domain.publication import FINAL_STATUSES
from reelflow.exceptions import (
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger.models import Publication
from reelflow.services.calls.account_client import AccountClient
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.lease import UploadLease
from reelflow.source import Source
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import ChunkAnswer, ChunkOutcome, PublishStatus

log = logging.getLogger(__name__)

_URL_DEAD: Final = (ChunkOutcome.EXPIRED, ChunkOutcome.GONE)


class UploadUrlDeadError(Exception):
    """The upload takes no more bytes; the caller decides whether another init is safe."""


class UploadEndedError(Exception):
    """TikTok's status is final.

    :param status: what it said
    """

    def __init__(self, status: PublishStatus) -> None:
        super().__init__(status.status)
        self.status = status


class ChunkSender:
    """Sends the bytes of one publication, in order, each chunk acknowledged in the journal.

    :param upload_url: a credential; never logged
    :param source: of the very content that was validated, or it raises when it is read
    """

    def __init__(
        self,
        client: AccountClient,
        journal: UploadJournal,
        lease: UploadLease,
        publication: Publication,
        *,
        upload_url: str,
        content_type: str,
        limits: TikTokLimits,
        source: Source,
    ) -> None:
        self._client = client
        self._journal = journal
        self._lease = lease
        self._publication = publication
        self._upload_url = upload_url
        self._content_type = content_type
        self._limits = limits
        self._source = source

    def send_from(self, offset: int) -> None:
        """Send everything from a byte on; COMMITTING is written before the last chunk.

        :raises UploadUrlDeadError: the URL's hour has passed, or it answers 403 or 404
        :raises UploadEndedError: TikTok's status is final meanwhile
        :raises TransientError: a chunk failed as often as it is tried
        """
        plan = ChunkPlan(
            self._publication.size_bytes,
            self._publication.chunk_size_bytes,
            self._publication.total_chunks,
        )
        standstills = 0
        if offset >= plan.size_bytes:
            self._journal.commit()
        while offset < plan.size_bytes:
            byte_range = plan.range_at(offset)
            self._prepare(byte_range, is_last=plan.is_last(byte_range))
            held = self._send(byte_range)
            standstills += held <= offset
            if standstills >= self._limits.chunk_attempts:
                raise TikTokUnavailableError(
                    f"TikTok took {byte_range.content_range} and says again that it holds {held} "
                    "bytes: the upload does not move on"
                )
            offset = held
            if offset < plan.size_bytes:
                self._journal.acknowledge(offset)
        self._journal.sent(offset)

    def _prepare(self, byte_range: ByteRange, *, is_last: bool) -> None:
        """Write down what must be known before a range is sent."""
        if self._journal.has_expired(self._publication):
            # Asked before COMMITTING is written: until then another init is safe.
            raise UploadUrlDeadError(f"its upload URL's hour passed at byte {byte_range.first}")
        self._source.read_at(byte_range.first, 1)  # it raises when the source is another by now
        if is_last:
            self._journal.commit()

    def held_bytes(self) -> int | None:
        """Ask TikTok how many bytes it holds; None when it does not say, which proves nothing.

        :raises UploadEndedError: TikTok's status is final
        :raises UploadUrlDeadError: TikTok does not know the publication any more
        """
        assert self._publication.publish_id is not None
        try:
            status = self._client.fetch_status(self._publication.publish_id)
        except (TikTokUnavailableError, TikTokUnreachableError, TikTokRateLimitedError) as exc:
            log.warning("no status of %s: %s", self._publication.publish_id, exc)
            return None
        except TikTokRejectedError as exc:
            if exc.code != "invalid_publish_id":
                raise
            raise UploadUrlDeadError(f"TikTok does not know it any more: {exc}") from exc
        if status.status in FINAL_STATUSES:
            raise UploadEndedError(status)
        if status.uploaded_bytes is None:
            return None
        return min(status.uploaded_bytes, self._publication.size_bytes)

    def _send(self, byte_range: ByteRange) -> int:
        """Send one range and return how many bytes TikTok holds then."""
        failure: TransientError | None = None
        for attempt in range(self._limits.chunk_attempts):
            if attempt:
                self._lease.wait(self._limits.first_chunk_retry_s * 2 ** (attempt - 1))
                held = self.held_bytes()
                if held is not None and held != byte_range.first:
                    return held
            try:
                answer = self._client.put_chunk(
                    self._upload_url,
                    self._source,
                    byte_range,
                    self._content_type,
                    checkpoint=self._lease.check,
                )
            except (TikTokUnavailableError, TikTokUnreachableError) as exc:
                log.warning("chunk %s failed: %s", byte_range.content_range, exc)
                failure = exc
                continue
            held = self._read(answer, byte_range)
            if held is not None:
                return held
            failure = TikTokUnavailableError(
                f"TikTok answered HTTP {answer.outcome.value} to {byte_range.content_range} and "
                "does not say where to go on"
            )
        assert failure is not None
        raise failure

    def _read(self, answer: ChunkAnswer, byte_range: ByteRange) -> int | None:
        """Return how many bytes TikTok holds by its answer; None when that is not clear."""
        if answer.outcome in _URL_DEAD:
            raise UploadUrlDeadError(f"its upload URL answers HTTP {answer.outcome.value}")
        if answer.outcome is ChunkOutcome.COMPLETE:
            return byte_range.total
        if answer.outcome is ChunkOutcome.STORED and byte_range.last + 1 < byte_range.total:
            return byte_range.last + 1
        held = self.held_bytes()
        if held is None:
            # The header may be a count or a last index: only one reading ends a chunk.
            chunk, size = self._publication.chunk_size_bytes, self._publication.size_bytes
            fitting = [n for n in answer.held_bytes if n == size or n % chunk == 0]
            held = fitting[0] if len(fitting) == 1 else None
        return None if held == byte_range.first else held
