"""What TikTok's error codes and fail reasons mean, and what a person does about each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from reelflow.exceptions import (
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)

DAY_S = 86_400.0
"""Caps on posts, drafts and creators count 24 hours (content-sharing-guidelines)."""

MINUTE_S = 60.0
"""Rate limits count one minute (tiktok-api-v2-rate-limit)."""

_SECRET = re.compile(r"\b(?:act|rft|clt)\.\S+|\?\S+")  # tokens by their prefix, queries of URLs


@dataclass(frozen=True)
class Refusal:
    """The meaning of one error code.

    :param error_class: what is raised for it
    :param fix: sentence for the person: what is wrong and what to do
    :param retry_after_s: wait before the next try, for errors that pass by themselves
    """

    error_class: type[TikTokRejectedError | TikTokRateLimitedError | TikTokUnavailableError]
    fix: str
    retry_after_s: float | None = None


_INVALID_PARAMS = Refusal(
    TikTokRejectedError, "TikTok refused a value of the request; its message says which."
)

REFUSALS: Mapping[str, Refusal] = MappingProxyType(
    {
        # The posting pages spell it in the singular; on the wire it is the plural
        # (observed, https://github.com/DayMoonDevelopment/post-for-me/issues/327).
        "invalid_param": _INVALID_PARAMS,
        "invalid_params": _INVALID_PARAMS,
        "app_version_check_failed": Refusal(
            TikTokRejectedError,
            "The creator's TikTok app is too old: update it to 31.8 or newer.",
        ),
        "invalid_publish_id": Refusal(
            TikTokRejectedError,
            "TikTok does not know this publish_id: look for the post in the TikTok app.",
        ),
        "token_not_authorized_for_specified_publish_id": Refusal(
            TikTokRejectedError,
            "The publish_id belongs to another account or app: use the account that opened it.",
        ),
        "publish_not_cancellable": Refusal(
            TikTokRejectedError,
            "The post is already final: delete it in the TikTok app if it must go.",
        ),
        "scope_permission_missed": Refusal(
            TikTokAuthError,
            "A field needs a scope that was not granted: reconnect the account and grant it.",
        ),
        "invalid_file_upload": Refusal(
            TikTokRejectedError, "TikTok cannot use the file: re-encode it as H.264 in MP4."
        ),
        "access_token_invalid": Refusal(
            TikTokAuthError,
            "The account's access token is invalid or has expired: reconnect the account.",
        ),
        "scope_not_authorized": Refusal(
            TikTokAuthError,
            "The account did not grant the scope that this call needs (video.publish for direct"
            " posts, video.upload for drafts): reconnect the account and grant it.",
        ),
        "spam_risk_too_many_posts": Refusal(
            TikTokRateLimitedError,
            "The account has reached TikTok's number of posts in 24 hours, which all apps share:"
            " wait, or post in the TikTok app.",
            DAY_S,
        ),
        "spam_risk_user_banned_from_posting": Refusal(
            TikTokRejectedError,
            "TikTok has banned the account from posting: the creator must settle it in the app.",
        ),
        "reached_active_user_cap": Refusal(
            TikTokRateLimitedError,
            "The app has reached its number of posting creators in 24 hours: wait, or ask TikTok"
            " for a higher cap.",
            DAY_S,
        ),
        "spam_risk_too_many_pending_share": Refusal(
            TikTokRateLimitedError,
            "The account has 5 drafts waiting, the most in 24 hours: post or delete them in the"
            " TikTok app.",
            DAY_S,
        ),
        "unaudited_client_can_only_post_to_private_accounts": Refusal(
            TikTokRejectedError,
            "The app is not audited yet, so TikTok takes posts only for accounts that are private"
            " themselves: make the account private in the TikTok app and post with SELF_ONLY.",
        ),
        "privacy_level_option_mismatch": Refusal(
            TikTokRejectedError,
            "The privacy level is not one that the account offers now: choose another.",
        ),
        "url_ownership_unverified": Refusal(
            TikTokRejectedError,
            "TikTok pulls only from domains verified for the app: verify the domain, or upload.",
        ),
        "rate_limit_exceeded": Refusal(
            TikTokRateLimitedError, "Too many calls in a minute: wait.", MINUTE_S
        ),
        "internal_error": Refusal(TikTokUnavailableError, "TikTok has a fault: try again later."),
    }
)
"""Documented error codes of the posting calls.

Sources: content-posting-api-reference-direct-post, -photo-post, -upload-video,
-query-creator-info, -get-video-status and tiktok-api-v2-error-handling, read 2026-09-11.
"""

_UNKNOWN = Refusal(
    TikTokRejectedError, "The code is not documented: ask TikTok's support with the log_id."
)


def refusal_error(
    code: str,
    *,
    call: str,
    http_status: int,
    message: str = "",
    log_id: str | None = None,
    retry_after_s: float | None = None,
) -> ReelflowError:
    """Return the error of an answer with ``code``; an unknown code is terminal and kept raw.

    :param code: TikTok's ``error.code``
    :param call: name of the call, for the message
    :param http_status: status of the answer; the code decides, it is only reported
    :param message: TikTok's own message
    :param log_id: TikTok's id of the call
    :param retry_after_s: wait that TikTok asked for, if it did
    """
    refusal = REFUSALS.get(code, _UNKNOWN)
    said = f" TikTok says: {printable(message, 300)!r}." if message and message != code else ""
    traced = f", log_id {log_id}" if log_id else ""
    text = f"TikTok refused {call} with {code} (HTTP {http_status}{traced}). {refusal.fix}{said}"
    if issubclass(refusal.error_class, TikTokRejectedError):
        return refusal.error_class(text, code=code, log_id=log_id, http_status=http_status)
    return refusal.error_class(
        text,
        code=code,
        retry_after_s=retry_after_s if retry_after_s is not None else refusal.retry_after_s,
        log_id=log_id,
        http_status=http_status,
    )


def printable(text: str, max_chars: int) -> str:
    """Cut foreign ``text`` for a message: no control characters, tokens or queries of URLs."""
    plain = "".join(char if char.isprintable() else " " for char in text[: max_chars * 2])
    return _SECRET.sub("…", plain)[:max_chars]


class FailureKind(Enum):
    """What can be done about a publish task that failed."""

    FIX_MEDIA = "fix_media"
    """The media break a rule: the same bytes fail again."""

    FIX_TEXT = "fix_text"
    """The caption was judged risky: the same text fails again."""

    FIX_URL = "fix_url"
    """TikTok could not pull the media from where they lie."""

    RETRY = "retry"
    """TikTok's own fault: a new init may work."""

    LATER = "later"
    """A cap was reached: a new init works when 24 hours have passed."""

    RECONNECT = "reconnect"
    """The creator removed our access."""

    CANCELLED = "cancelled"
    """Somebody cancelled the task."""

    NEVER = "never"
    """TikTok refuses for good, or for a reason that we do not know."""


@dataclass(frozen=True)
class Failure:
    """The meaning of one ``fail_reason``.

    :param kind: what can be done about it
    :param fix: sentence for the person: what is wrong and what to do
    """

    kind: FailureKind
    fix: str


_PULL_FAILED = Failure(
    FailureKind.FIX_URL,
    "TikTok could not download the media within an hour: check that the URL answers from outside.",
)

FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        "file_format_check_failed": Failure(
            FailureKind.FIX_MEDIA,
            "TikTok cannot read the file's format: re-encode it as H.264 in MP4.",
        ),
        "duration_check_failed": Failure(
            FailureKind.FIX_MEDIA,
            "The video is too short or too long for this account: cut it.",
        ),
        "frame_rate_check_failed": Failure(
            FailureKind.FIX_MEDIA,
            "The frame rate is not within 23 to 60 a second: re-encode it at 30.",
        ),
        "picture_size_check_failed": Failure(
            FailureKind.FIX_MEDIA,
            "Width or height is not within 360 to 4096 pixels: scale it.",
        ),
        "internal": Failure(FailureKind.RETRY, "TikTok had a fault while processing: try again."),
        "video_pull_failed": _PULL_FAILED,
        "photo_pull_failed": _PULL_FAILED,
        "publish_cancelled": Failure(
            FailureKind.CANCELLED, "The post was cancelled: submit it again if it is wanted."
        ),
        "auth_removed": Failure(
            FailureKind.RECONNECT,
            "The creator removed the app's access: reconnect the account.",
        ),
        "spam_risk_too_many_posts": Failure(
            FailureKind.LATER,
            "The account has reached TikTok's number of posts in 24 hours: wait, or post in the"
            " TikTok app.",
        ),
        "spam_risk_user_banned_from_posting": Failure(
            FailureKind.NEVER,
            "TikTok has banned the account from posting: the creator must settle it in the app.",
        ),
        "spam_risk_text": Failure(
            FailureKind.FIX_TEXT, "TikTok judged the caption to be risky: change it."
        ),
        "spam_risk": Failure(
            FailureKind.NEVER,
            "TikTok judged the post to be risky: the creator should look into the TikTok app.",
        ),
    }
)
"""Documented fail reasons (content-posting-api-reference-get-video-status, read 2026-09-11)."""


def explain_failure(fail_reason: str | None) -> Failure:
    """Return what a ``fail_reason`` means; an unknown or absent one is never retried."""
    known = FAILURES.get(fail_reason or "")
    if known is not None:
        return known
    shown = printable(fail_reason, 64) if fail_reason else "none"
    return Failure(
        FailureKind.NEVER,
        f"TikTok gave a reason that is not documented ({shown}): look into the TikTok app.",
    )
