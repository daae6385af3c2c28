"""TikTok's webhooks without a network: whether to believe one, and what it says.

Sources: webhooks-overview, webhooks-events, webhooks-verification, read 2026-09-11. Deliveries are
repeated for up to 72 hours until one is answered with 200, at least once and in any order.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from reelflow.exceptions import ConfigurationError, WebhookRefusedError
from reelflow.json_text import read_json_object
from reelflow.tiktok.answers import count_of, ids_of, text_of
from reelflow.tiktok.refusals import printable

BODY_MAX_BYTES: Final = 64 * 1024
"""Longest body that is looked at; TikTok's have a few hundred bytes."""

TOLERANCE_S: Final = 300
"""How old a signature may be. TikTok names no number; this is what its clients use."""

REMOVAL_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0": "for an unknown reason",
        "1": "because the creator disconnected the app",
        "2": "because the creator deleted the account",
        "3": "because the creator's age changed",
        "4": "because TikTok banned the account",
        "5": "because the developer revoked it",
    }
)
"""What the ``reason`` of ``authorization.removed`` means (webhooks-events)."""

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),s=([0-9a-f]{64})", re.ASCII)
_NAME = re.compile(r"[!-~]{1,128}", re.ASCII)
_CONTENT_MAX_CHARS: Final = 4096
_YEAR_3000_S: Final = 32_503_680_000


@dataclass(frozen=True)
class WebhookEvent:
    """One event. What its kind does not carry is None.

    :param event: its kind, such as ``post.publish.complete``, or one that TikTok added since
    :param client_key: the app that it is for
    :param create_time: when it happened, UTC
    :param user_openid: the account
    :param publish_id: the publish task
    :param publish_type: ``INBOX_SHARE`` or ``DIRECT_PUBLISH``
    :param post_id: all digits of the post's id
    :param reason: a ``fail_reason``; of ``authorization.removed`` a key of :data:`REMOVAL_REASONS`
    :param content: the content as it came, at most 4096 characters
    :param digest: SHA-256 of the body in hex: the same for each repeated delivery
    """

    event: str
    client_key: str
    create_time: datetime
    user_openid: str
    publish_id: str | None
    publish_type: str | None
    post_id: str | None
    reason: str | None
    content: str
    digest: str


def verify_webhook(
    body: bytes,
    signature_header: str,
    client_secret: str,
    *,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> None:
    """Return if ``body`` is from TikTok and recent; do this before anything else with it.

    :param body: exactly as it came
    :param signature_header: value of ``TikTok-Signature``: ``t=<unix seconds>,s=<hex>``, where s is
        the HMAC-SHA256 of t, a dot and the body under the app's secret; empty if it is absent
    :param now_s: seconds since 1970
    :raises WebhookRefusedError: ``malformed``, ``forged`` or ``stale``, never with the secret
    :raises ConfigurationError: if there is no secret, so that anybody could sign
    """
    if not client_secret:
        raise ConfigurationError(
            "The app's client secret is empty, so no webhook can be verified: set it as password"
            " of the connection tiktok_app.",
            code="tiktok_app",
        )
    _check_size(body)
    match = _SIGNATURE.fullmatch(signature_header)
    if match is None:
        raise _refused("malformed", "its TikTok-Signature is not t=<seconds>,s=<64 hex digits>")
    message = match[1].encode("ascii") + b"." + body
    expected = hmac.new(client_secret.encode(), message, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, match[2]):
        raise _refused(
            "forged",
            "its signature is not of this app's secret. If TikTok sent it, the connection"
            " tiktok_app has another app's secret, or a proxy changed the body",
        )
    age_s = now_s - int(match[1])
    if abs(age_s) > tolerance_s:
        signed, why = f"it was signed {age_s:.0f} s ago", "it is replayed, or "
        if age_s < 0:  # nobody replays what is still to come
            signed, why = f"it is signed for {-age_s:.0f} s ahead", ""
        raise _refused(
            "stale",
            f"{signed}, and {tolerance_s:g} are allowed: {why}this machine's clock is wrong",
        )


def parse_webhook(body: bytes) -> WebhookEvent:
    """Return what a verified webhook says.

    :param body: exactly as it came
    :raises WebhookRefusedError: ``malformed``
    """
    _check_size(body)
    envelope = _object(body, "its body")
    created_s = count_of(envelope.get("create_time"))
    if created_s is None or created_s > _YEAR_3000_S:
        raise _refused("malformed", "its create_time is no number of seconds")
    event, raw = _name(envelope, "event"), envelope.get("content")
    if not isinstance(raw, str):
        raise _refused("malformed", "its content is no text")
    content = _object(raw, "its content") if event.startswith(("post.", "authorization.")) else {}
    return WebhookEvent(
        event=event,
        client_key=_name(envelope, "client_key"),
        create_time=datetime.fromtimestamp(created_s, UTC),
        user_openid=_name(envelope, "user_openid"),
        publish_id=_optional_name(content, "publish_id"),
        publish_type=_optional_name(content, "publish_type"),
        post_id=_post_id(content),
        reason=_reason(content),
        content=text_of(envelope, "content")[:_CONTENT_MAX_CHARS],
        digest=hashlib.sha256(body).hexdigest(),
    )


def _check_size(body: bytes) -> None:
    if len(body) > BODY_MAX_BYTES:
        raise _refused("malformed", f"its body has {len(body)} bytes, over {BODY_MAX_BYTES}")


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    value = read_json_object(text)
    if value is None:
        raise _refused("malformed", f"{what} is no JSON object")
    return value


def _name(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise _refused("malformed", f"its {key} is not 1 to 128 printable characters")
    return value


def _optional_name(content: Mapping[str, Any], key: str) -> str | None:
    return None if content.get(key) is None else _name(content, key)


def _post_id(content: Mapping[str, Any]) -> str | None:
    """Return the id, which came as a string where the API elsewhere sends numbers (observed)."""
    value = content.get("post_id")
    if value is None:
        return None
    ids = () if isinstance(value, list) else ids_of(value)
    if not ids:
        raise _refused("malformed", "its post_id is no number")
    return ids[0]


def _reason(content: Mapping[str, Any]) -> str | None:
    """Return the reason: a word where a post failed, a number where an account left."""
    value = content.get("reason")
    if isinstance(value, str):
        return printable(value, 64)
    number = count_of(value)
    return None if number is None else str(number)


def _refused(reason: str, why: str) -> WebhookRefusedError:
    return WebhookRefusedError(
        f"The webhook is refused as {reason}: {why}.", reason=reason, code=f"webhook_{reason}"
    )
