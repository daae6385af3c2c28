"""What a detection engine answers, checked before any of it is believed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reelflow.analysis.base import Analysis, Progress, Verdict
from reelflow.domain.printable import printable
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisPendingError,
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    ReelflowError,
)
from reelflow.json_text import read_json_object

ANSWER_MAX_BYTES: Final = 1024 * 1024
_SAID_MAX_CHARS: Final = 300
_DETAILS_MAX_CHARS: Final = 64 * 1024
_LONGEST_S: Final = 86_400.0
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
#: With or without its host: many libraries name that and the path apart.
_URL_QUERY: Final = re.compile(
    r"(https?://[^\s?\"'<>]{1,2048}\?|\?(?=[\w.~%-]{1,128}=))[^\s\"'<>]+", re.ASCII | re.IGNORECASE
)
_HIDDEN: Final = "***"
_RUNNING: Final = frozenset({"queued", "processing"})
#: Refusals of the file or the question, which the same question gets again.
_OF_THE_FILE: Final = frozenset({400, 413, 415, 422})


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its headers by lower-case names, its body.

    :param api_key: what it was asked with, which it may quote
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    api_key: str = field(default="", repr=False)


def started(answer: Answer) -> Analysis:
    """Return the analysis that was begun."""
    document = _document(answer, "starting the analysis")
    return Analysis(_id(document, "analysis_id"), _seconds(document.get("estimated_seconds")))


def progress(answer: Answer) -> Progress:
    """Return how far an analysis came.

    :raises AnalysisRefusedError: it failed, for the reason the engine gives
    """
    document = _document(answer, "polling the analysis")
    status = document.get("status")
    if status == "completed":
        return Progress(is_finished=True)
    if status == "failed":
        raise AnalysisRefusedError(
            "the detection engine failed over the file: "
            f"{_said(document, answer) or 'it gives no reason'}"
        )
    if not isinstance(status, str) or status not in _RUNNING:
        raise _malformed("polling the analysis", answer, "its status is none that is known")
    return Progress(False, _seconds(document.get("remaining_seconds")))


def verdict(answer: Answer, *, engine: str) -> Verdict:
    """Return the verdict of a finished analysis.

    :raises AnalysisPendingError: it is not finished
    """
    call = "reading the verdict"
    if answer.status == 202:
        raise AnalysisPendingError(
            "the detection engine is not finished", retry_after_s=retry_after_s(answer)
        )
    document = _document(answer, call)
    is_fake, confidence = document.get("is_fake", ...), document.get("confidence")
    if is_fake is not None and not isinstance(is_fake, bool):
        raise _malformed(call, answer, "is_fake is neither true, false nor null")
    if confidence is not None and not _is_probability(confidence):
        raise _malformed(call, answer, "confidence is no number from 0 to 1")
    return Verdict(
        id=_id(document, "id"),
        engine=engine,
        model_type=_id(document, "model_type"),
        is_fake=is_fake,
        confidence=None if confidence is None else float(confidence),
        seconds=_seconds(document.get("processing_seconds")) or 0.0,
        details=_details(document.get("details"), answer),
    )


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of ``Retry-After``, at most a day; None if absent or a date."""
    value = answer.headers.get("retry-after", "").strip()
    return min(float(value), _LONGEST_S) if re.fullmatch("[0-9]{1,9}", value, re.ASCII) else None


def is_worth_retrying(answer: Answer) -> bool:
    """Whether the same call may get another answer soon."""
    return answer.status in (408, 429) or answer.status >= 500


def _document(answer: Answer, call: str) -> dict[str, Any]:
    """Return the JSON object of a success; raise for every other answer."""
    document = read_json_object(answer.body) or {}
    if not 200 <= answer.status < 300:
        raise _failure(answer, call, _said(document, answer))
    if not document:
        raise _malformed(call, answer, "it is no JSON object")
    return document


def _failure(answer: Answer, call: str, said: str) -> ReelflowError:
    told = f"{call} was answered with HTTP {answer.status}" + (f": {said}" if said else "")
    if is_worth_retrying(answer):
        return AnalysisUnavailableError(
            f"{told}; try again later", retry_after_s=retry_after_s(answer)
        )
    if answer.status in (404, 410) and call != "starting the analysis":
        return AnalysisLostError(f"{told}: the detection engine does not know it any more")
    if answer.status in _OF_THE_FILE:
        return AnalysisRefusedError(f"{told}: the detection engine will not judge this file")
    return ConfigurationError(
        f"{told}; check host and password of the connection detection_default",
        code="detection_refused",
    )


def _malformed(call: str, answer: Answer, wrong: str) -> AnalysisUnavailableError:
    return AnalysisUnavailableError(
        f"the answer to {call} (HTTP {answer.status}, {len(answer.body)} bytes) cannot be "
        f"understood: {wrong}. Check what answers at the host of detection_default",
        code="malformed_answer",
    )


def _said(document: Mapping[str, Any], answer: Answer) -> str:
    """Return the engine's own words, in one short line."""
    error = document.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str):
        return ""
    return printable(_without_credentials(message[:_DETAILS_MAX_CHARS], answer), _SAID_MAX_CHARS)


def _without_credentials(text: str, answer: Answer) -> str:
    """Return a text without what it may quote: the API key, and what signs a URL."""
    if answer.api_key:
        text = text.replace(answer.api_key, _HIDDEN)
    return _URL_QUERY.sub(rf"\1{_HIDDEN}", text)


def _id(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise AnalysisUnavailableError(
            f"the detection engine's {name} is not 1 to 128 of A-Z a-z 0-9 . _ -",
            code="malformed_answer",
        )
    return value


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _seconds(value: object) -> float | None:
    """Return a time of up to a day; None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= _LONGEST_S else None  # NaN is in no range


def _details(value: object, answer: Answer) -> dict[str, Any]:
    """Return what the engine says beside its verdict, as it can be stored and shown."""
    if not isinstance(value, dict):
        return {}
    try:
        size = len(json.dumps(value))
        if size > _DETAILS_MAX_CHARS:
            return {"omitted": f"{size} characters of details"}
        cleaned: dict[str, Any] = _cleaned(value, answer)
    except RecursionError:
        return {"omitted": "details that are nested too deeply"}
    return cleaned


def _cleaned(value: Any, answer: Answer) -> Any:
    """Return JSON without credentials, and what no database holds: NUL, half surrogates, NaN."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", _without_credentials(value, answer))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_cleaned(one, answer) for one in value]
    if isinstance(value, dict):
        return {_cleaned(key, answer): _cleaned(one, answer) for key, one in value.items()}
    return value
