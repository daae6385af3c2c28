"""A client for an external detection engine, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from reelflow.analysis import http_answers
from reelflow.analysis.base import Analysis, Progress, Subject, Verdict
from reelflow.analysis.connection import DetectionConnection, no_address
from reelflow.analysis.http_answers import Answer
from reelflow.analysis.http_transport import HttpLimits, Transport
from reelflow.exceptions import AnalysisUnavailableError
from reelflow.source import Source

NAME: Final = "http"
_MEDIA_TYPES: Final = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/matroska",
    "avi": "video/vnd.avi",
}


class HttpEngine:
    """Asks a detection engine. Its API, below the connection's host:

    ``POST /analyses?model_type=M`` with the file as its body (``Content-Type`` is the file's,
    ``X-Content-SHA256`` its hash), or with ``{"url": ...}`` as JSON, gives ``{"analysis_id",
    "estimated_seconds"}``; an ``Idempotency-Key`` lets an engine give a repeated call the analysis
    it began. ``GET /analyses/ID`` gives ``{"status": "queued" | "processing" | "completed" |
    "failed", "remaining_seconds", "error"}``, ``GET /analyses/ID/verdict`` gives ``{"id",
    "model_type", "is_fake", "confidence", "processing_seconds", "details"}``.

    Not for several threads.

    :param connection: where it is
    :param sleep: waits between two tries, given seconds
    """

    name = NAME

    def __init__(
        self,
        connection: DetectionConnection,
        *,
        limits: HttpLimits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._limits = limits or HttpLimits()
        self._sleep = sleep
        self._transport = Transport(connection, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        """Send the file, or its address where the connection says so."""
        query = f"?model_type={quote(model_type, safe='')}"
        headers = {"Idempotency-Key": f"{subject.sha256}-{model_type}"}
        if self._connection.sends_url:
            if subject.make_url is None:
                raise no_address()
            address = {"url": subject.make_url()}
            answer = self._call("POST", f"/analyses{query}", headers, json=address)
        else:
            headers["Content-Type"] = _MEDIA_TYPES.get(
                subject.container, "application/octet-stream"
            )
            headers["X-Content-SHA256"] = subject.sha256
            answer = self._call("POST", f"/analyses{query}", headers, source=subject.source)
        return http_answers.started(answer)

    def poll(self, analysis_id: str) -> Progress:
        """Ask how far an analysis came."""
        return http_answers.progress(self._call("GET", f"/analyses/{quote(analysis_id, safe='')}"))

    def read(self, analysis_id: str) -> Verdict:
        """Return the verdict of a finished analysis."""
        answer = self._call("GET", f"/analyses/{quote(analysis_id, safe='')}/verdict")
        return http_answers.verdict(answer, engine=NAME)

    def _call(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        source: Source | None = None,
        json: dict[str, str] | None = None,
    ) -> Answer:
        """Make a call as often as the limits allow; return its last answer, whatever it says.

        :raises AnalysisUnavailableError: the last one got no answer
        """
        pause_s = self._limits.first_pause_s
        for attempt in range(1, self._limits.attempts + 1):
            is_last = attempt == self._limits.attempts
            wanted_s = None
            try:
                answer = self._transport.request(method, path, headers or {}, source, json)
            except AnalysisUnavailableError:
                if is_last:
                    raise
            else:
                wanted_s = http_answers.retry_after_s(answer)
                is_too_long = wanted_s is not None and wanted_s > self._limits.longest_pause_s
                if is_last or is_too_long or not http_answers.is_worth_retrying(answer):
                    return answer
            self._sleep(pause_s if wanted_s is None else wanted_s)
            pause_s = min(2 * pause_s, self._limits.longest_pause_s)
        raise AssertionError("a call is made at least once")
