"""What every JSON answer of TikTok has in common: success, refusal, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reelflow.exceptions import ConfigurationError, ReelflowError, TikTokUnavailableError
from reelflow.json_text import read_json_object
from reelflow.tiktok.refusals import explain_code, printable, refusal_error
from reelflow.tiktok.verdicts import Verdict

ANSWER_MAX_BYTES = 1024 * 1024
"""Longest body that a client reads; TikTok's have a few hundred bytes."""

_LONGEST_WAIT_S = 86_400

UNEXPECTED_ANSWER: Final = "unexpected_answer"
"""Code of an answer that is not in TikTok's words, so that what became of the call is open."""

_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    :param status: HTTP status
    :param headers: headers under any spelling; kept under lower-case names
    :param body: the body, decoded from its transfer encoding
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        object.__setattr__(self, "headers", lowered)


def success_data(answer: Answer, call: str) -> dict[str, Any]:
    """Return the ``data`` of a JSON answer that is a success; raise for every other answer.

    :param call: name of the call, for messages
    """
    data = _accepted(answer, call).get("data")
    if not isinstance(data, dict):
        raise malformed(call, answer, "it has no data")
    return data


def confirm_success(answer: Answer, call: str) -> None:
    """Accept a JSON answer that is a success without ``data``; raise for every other answer."""
    _accepted(answer, call)


def _accepted(answer: Answer, call: str) -> dict[str, Any]:
    """Return the document of an answer whose ``error.code`` is ``ok``."""
    document = document_of(answer)
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    said = printable(text_of(error, "code"), 64)
    code = _code(answer.status, said)
    if code in ("", "ok"):
        if code == "ok" and answer.status < 300:
            return document
        raise rejected_by_status(answer, call)
    raise refusal_error(
        said if answer.status >= 500 and said not in ("", "ok") else code,
        counts_as=code,
        call=call,
        http_status=answer.status,
        message=text_of(error, "message"),
        log_id=printable(text_of(error, "log_id"), 64) or None,
        retry_after_s=retry_after_s(answer),
    )


def _code(http_status: int, code: str) -> str:
    """Return the error code that counts: a few statuses decide whatever the body says."""
    if http_status >= 500:
        return "internal_error"
    if http_status == 429:
        return "rate_limit_exceeded"
    if http_status == 401 and code and not _is_auth_code(code):
        return "access_token_invalid"
    return code


def rejected_by_status(answer: Answer, call: str) -> ReelflowError:
    """Return the error of an answer without a code: its status is all there is to go by.

    A redirect or refusal without TikTok's words comes from something that stands before it, and
    says nothing of the post or its account.
    """
    if 300 <= answer.status < 500 and answer.status not in (408, 429):
        return ConfigurationError(
            f"{call} was answered with HTTP {answer.status} and no error code: that is not TikTok's"
            " API. Check the host of the connection tiktok_app and what stands before it.",
            code=UNEXPECTED_ANSWER,
            http_status=answer.status,
        )
    code = _code(answer.status, "")
    if code:
        wait_s = retry_after_s(answer)
        return refusal_error(code, call=call, http_status=answer.status, retry_after_s=wait_s)
    return malformed(call, answer, "it is no JSON object that says ok")


def document_of(answer: Answer) -> dict[str, Any]:
    """Return the body as a JSON object; an empty one for HTML, nothing or any other text."""
    return read_json_object(answer.body) or {}


def malformed(call: str, answer: Answer, wrong: str) -> TikTokUnavailableError:
    """Return the error of an answer that leaves open whether the call was carried out."""
    return TikTokUnavailableError(
        f"The answer to {call} (HTTP {answer.status}, {len(answer.body)} bytes) cannot be"
        f" understood: {wrong}. Try again later.",
        code="malformed_answer",
        http_status=answer.status,
    )


def _is_auth_code(code: str) -> bool:
    return explain_code(code).verdict is Verdict.AUTH


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of ``Retry-After``, 1 to a day; None if absent or given as a date."""
    value = answer.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        return None
    return float(min(max(int(value), 1), _LONGEST_WAIT_S))


def text_of(data: Mapping[str, Any], name: str) -> str:
    """Return a string field; empty if it is absent or no string.

    Half surrogate pairs and NUL, which JSON can hold and a database cannot, are replaced.
    """
    value = data.get(name)
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else ""


def count_of(value: object) -> int | None:
    """Return a number that counts something (an int64); None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    return None


def ids_of(value: object) -> tuple[str, ...]:
    """Return the ids of an absent, empty, listed or single value, as strings of digits.

    They are numbers of 19 digits; Python reads them exactly, where a parser with doubles would lose
    the last ones (observed, https://github.com/gitroomhq/postiz-app/pull/1984).
    """
    items = value if isinstance(value, list) else [value]
    texts = [item if isinstance(item, str) else str(count_of(item)) for item in items]
    return tuple(text for text in texts if _ID.fullmatch(text))
