"""From TikTok's words to our errors and to what a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TokenGrantRefusedError,
    TransientError,
)
from reelflow.tiktok.refusal_table import ERROR_CODES, FAIL_REASONS, OAUTH_ERRORS
from reelflow.tiktok.verdicts import Meaning, Verdict

#: Tokens by their prefix, queries of URLs, and the signatures in URLs from which TikTok pulls.
_SECRET = re.compile(r"\b(?:act|rft|clt)\.\S+|\?\S+|\b[0-9A-Fa-f]{64}\b")

_UNKNOWN_CODE = Meaning(
    Verdict.NEVER, "The code is not documented: ask TikTok's support with the log_id."
)

_CALL_ERRORS: Final[Mapping[Verdict, type[ReelflowError]]] = MappingProxyType(
    {
        Verdict.RETRY: TikTokUnavailableError,
        Verdict.LATER: TikTokRateLimitedError,
        Verdict.FIX: TikTokRejectedError,
        Verdict.AUTH: TikTokAuthError,
        Verdict.NEVER: TikTokRejectedError,
    }
)
_OAUTH_CALL_ERRORS: Final[Mapping[Verdict, type[ReelflowError]]] = MappingProxyType(
    {
        **_CALL_ERRORS,
        Verdict.FIX: ConfigurationError,
        Verdict.NEVER: ConfigurationError,  # it is about the app or about us, never about a post
        Verdict.AUTH: TokenGrantRefusedError,
    }
)


def explain_code(code: str) -> Meaning:
    """Return what an ``error.code`` of a call means; an unknown one is terminal."""
    return ERROR_CODES.get(code, _UNKNOWN_CODE)


def explain_failure(fail_reason: str | None) -> Meaning:
    """Return what a ``fail_reason`` means; an unknown or absent one is never retried."""
    known = FAIL_REASONS.get(fail_reason or "")
    if known is not None:
        return known
    shown = printable(fail_reason, 64) if fail_reason else "none"
    return Meaning(
        Verdict.NEVER,
        f"TikTok gave a reason that is not documented ({shown}): look into the TikTok app.",
    )


def refusal_error(
    code: str,
    *,
    call: str,
    http_status: int,
    message: str = "",
    log_id: str | None = None,
    retry_after_s: float | None = None,
    counts_as: str | None = None,
) -> ReelflowError:
    """Return the error of an answer with ``code``; an unknown code is terminal and kept raw.

    :param code: TikTok's ``error.code``
    :param call: name of the call, for the message
    :param http_status: status of the answer, which is only reported
    :param message: TikTok's own message
    :param log_id: TikTok's id of the call
    :param retry_after_s: wait that TikTok asked for, if it did
    :param counts_as: the code whose meaning the answer has, where its status decides that
    """
    meaning = explain_code(counts_as or code)
    wait_s = meaning.retry_after_s if retry_after_s is None else retry_after_s
    text = _text(code, call, http_status, meaning, message, log_id)
    facts = {"code": code, "log_id": log_id, "http_status": http_status}
    return _error(_CALL_ERRORS[meaning.verdict], text, wait_s, facts)


def oauth_error(
    code: str, *, call: str, http_status: int, message: str = "", log_id: str | None = None
) -> ReelflowError:
    """Return the error of an OAuth answer with ``error: code``; see :func:`refusal_error`.

    :param message: TikTok's ``error_description``
    """
    meaning = OAUTH_ERRORS.get(code, _UNKNOWN_CODE)
    text = _text(code, call, http_status, meaning, message, log_id)
    facts = {"code": code, "log_id": log_id, "http_status": http_status}
    return _error(_OAUTH_CALL_ERRORS[meaning.verdict], text, meaning.retry_after_s, facts)


def printable(text: str, max_chars: int) -> str:
    """Cut foreign ``text`` for a message: no control characters, tokens or queries of URLs."""
    plain = "".join(char if char.isprintable() else " " for char in text[: max_chars * 2])
    return _SECRET.sub("…", plain)[:max_chars]


def _text(
    code: str, call: str, http_status: int, meaning: Meaning, message: str, log_id: str | None
) -> str:
    said = f" TikTok says: {printable(message, 300)!r}." if message and message != code else ""
    traced = f", log_id {log_id}" if log_id else ""
    return f"TikTok refused {call} with {code} (HTTP {http_status}{traced}). {meaning.fix}{said}"


def _error(
    error_class: type[ReelflowError], text: str, wait_s: float | None, facts: dict[str, Any]
) -> ReelflowError:
    """Construct an error of the tree; only transient ones have a wait."""
    if issubclass(error_class, TransientError):
        return error_class(text, retry_after_s=wait_s, **facts)
    return error_class(text, **facts)
