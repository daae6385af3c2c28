import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.exceptions import ConfigurationError, WebhookRefusedError
from reelflow.tiktok.webhooks import (
    BODY_MAX_BYTES,
    REMOVAL_REASONS,
    WebhookEvent,
    parse_webhook,
    verify_webhook,
)
from tests.unit.reelflow.tiktok import hostile_json

SECRET = "s3cret"
NOW_S = 1_790_000_000.5
PUBLISH_ID = "v_pub_file~v2-1.7512345678901234567"


def raw_envelope(event: str, content: object, /, **changes: Any) -> bytes:
    document = {
        "client_key": "key",
        "event": event,
        "create_time": 1_790_000_000,
        "user_openid": "o-1",
        "content": content,
    }
    return json.dumps(document | changes).encode()


def envelope(
    event: str = "post.publish.complete",
    more: dict[str, Any] | None = None,
    /,
    **changes: Any,
) -> bytes:
    content = {"publish_id": PUBLISH_ID, "publish_type": "DIRECT_PUBLISH"} | (more or {})
    return raw_envelope(event, json.dumps(content), **changes)


def sign(body: bytes, *, at_s: int = 1_790_000_000, secret: str = SECRET) -> str:
    message = f"{at_s}.".encode() + body
    return f"t={at_s},s={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


def reason_of_refusal(body: bytes, signature: str, *, now_s: float = NOW_S) -> str:
    with pytest.raises(WebhookRefusedError) as caught:
        verify_webhook(body, signature, SECRET, now_s=now_s)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.context}"
    assert caught.value.code == f"webhook_{caught.value.reason}"
    return caught.value.reason


def test_a_signed_body_is_believed_for_five_minutes() -> None:
    body = envelope()
    for at_s in (1_790_000_000, 1_789_999_701, 1_790_000_300):
        verify_webhook(body, sign(body, at_s=at_s), SECRET, now_s=NOW_S)
    verify_webhook(body, sign(body), SECRET, now_s=NOW_S + 500, tolerance_s=501)


@pytest.mark.parametrize("at_s", [1_789_999_700, 1_790_000_301, 0])
def test_a_replayed_or_future_signature_is_stale(at_s: int) -> None:
    body = envelope()
    assert reason_of_refusal(body, sign(body, at_s=at_s)) == "stale"


@pytest.mark.parametrize(
    ("at_s", "told"),
    [(1_789_999_690, "it was signed 310 s ago"), (1_790_000_310, "it is signed for 310 s ahead")],
)
def test_how_far_a_stale_signature_is_off_is_told_both_ways(at_s: int, told: str) -> None:
    body = envelope()
    with pytest.raises(WebhookRefusedError, match=f"{told}, and 300 are allowed"):
        verify_webhook(body, sign(body, at_s=at_s), SECRET, now_s=1_790_000_000)


def test_a_signature_of_another_secret_body_or_time_is_forged() -> None:
    body = envelope()
    signature = sign(body)
    assert reason_of_refusal(body, sign(body, secret="other")) == "forged"
    assert reason_of_refusal(body + b" ", signature) == "forged"
    assert reason_of_refusal(body, signature.replace("t=1790000000", "t=1790000001")) == "forged"
    old_and_forged = sign(body, secret="other", at_s=5)
    assert reason_of_refusal(body, old_and_forged) == "forged"


@pytest.mark.parametrize(
    "header",
    ["", "t=1790000000", "s=" + "0" * 64, "t=1,s=" + "0" * 63, "t=-1,s=" + "0" * 64,
     "t=1.5,s=" + "0" * 64, "t=٣,s=" + "0" * 64, "t=1,s=" + "G" * 64, "t=1,s=" + "0" * 64 + "\n",
     "t=1,t=2,s=" + "0" * 64, " t=1,s=" + "0" * 64, "s=" + "0" * 64 + ",t=1",
     "t=" + "9" * 5000 + ",s=" + "0" * 64],
)  # fmt: skip
def test_a_header_of_another_shape_is_malformed(header: str) -> None:
    assert reason_of_refusal(envelope(), header) == "malformed"


def test_a_body_without_end_is_refused_unread() -> None:
    body = b"a" * (BODY_MAX_BYTES + 1)
    assert reason_of_refusal(body, sign(body)) == "malformed"
    with pytest.raises(WebhookRefusedError, match="65537 bytes"):
        parse_webhook(body)


def test_without_a_secret_nothing_is_believed() -> None:
    body = envelope()
    with pytest.raises(ConfigurationError, match="tiktok_app"):
        verify_webhook(body, sign(body, secret=""), "", now_s=NOW_S)


def test_a_link_is_read_with_all_digits_as_text_or_number() -> None:
    for post_id in ("7678907398077074697", 7678907398077074697):
        body = envelope("post.publish.publicly_available", {"post_id": post_id})
        assert parse_webhook(body) == WebhookEvent(
            event="post.publish.publicly_available",
            client_key="key",
            create_time=datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC),
            user_openid="o-1",
            publish_id=PUBLISH_ID,
            publish_type="DIRECT_PUBLISH",
            post_id="7678907398077074697",
            reason=None,
            content=json.loads(body)["content"],
            digest=hashlib.sha256(body).hexdigest(),
        )


def test_a_failure_carries_its_reason_and_a_removal_its_number() -> None:
    failed = parse_webhook(envelope("post.publish.failed", {"reason": "spam_risk"}))
    assert (failed.reason, failed.post_id) == ("spam_risk", None)
    removed = parse_webhook(raw_envelope("authorization.removed", '{"reason": 1}'))
    assert (removed.reason, removed.publish_id) == ("1", None)
    assert "disconnected" in REMOVAL_REASONS["1"]


@pytest.mark.parametrize("content", ["", "not json", '{"post_id": []}', "x" * 60_000])
def test_an_event_that_is_new_is_kept_raw_within_limits(content: str) -> None:
    event = parse_webhook(raw_envelope("video.sold", content))
    assert (event.event, event.publish_id, event.post_id) == ("video.sold", None, None)
    assert event.content == content[:4096]


@pytest.mark.parametrize(
    "changes",
    [
        {"event": None},
        {"event": "a b"},
        {"event": "e" * 129},
        {"client_key": 7},
        {"user_openid": ""},
        {"user_openid": "o-1\n"},
        {"create_time": "1790000000"},
        {"create_time": True},
        {"create_time": 10**15},
    ],
)
def test_an_envelope_with_a_wrong_field_is_malformed_by_its_name(changes: dict[str, Any]) -> None:
    with pytest.raises(WebhookRefusedError, match=next(iter(changes))) as caught:
        parse_webhook(envelope(**changes))
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "content",
    [
        {"publish_id": 7},
        {"publish_id": "a" * 129},
        {"publish_type": ["x"]},
        {"post_id": "../7"},
        {"post_id": 7.5},
        {"post_id": True},
        {"post_id": ["7", "8"]},
    ],
)
def test_a_content_with_a_wrong_field_is_malformed_by_its_name(content: dict[str, Any]) -> None:
    with pytest.raises(WebhookRefusedError, match=next(iter(content))):
        parse_webhook(envelope("post.publish.publicly_available", content))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"[" * 60_000, b"\xff\xfe\x00", b"1"])
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(WebhookRefusedError, match="no JSON object"):
        parse_webhook(body)


CONTENTS = hostile_json.values("publish_id", "publish_type", "post_id", "reason").map(json.dumps)


@given(
    hostile_json.values("event", "client_key", "create_time", "user_openid", "content"),
    st.dictionaries(
        st.sampled_from(["event", "create_time", "user_openid"]), hostile_json.SCALARS, max_size=1
    ),
    CONTENTS | hostile_json.SCALARS,
)
def test_no_body_raises_anything_but_a_refusal(
    value: Any, changes: dict[str, Any], content: object
) -> None:
    signed = raw_envelope("post.publish.failed", content, **changes)
    for body in (json.dumps(value).encode(), signed):
        try:
            event = parse_webhook(body)
        except WebhookRefusedError as error:
            str(error).encode()
        else:
            repr(event).encode()
            event.content.encode()


@given(st.binary(max_size=100), st.text(st.characters(codec=None)))
def test_no_header_raises_anything_but_a_refusal(body: bytes, header: str) -> None:
    with pytest.raises(WebhookRefusedError):
        verify_webhook(body, header, SECRET, now_s=NOW_S)


def test_nothing_of_a_webhook_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    verify_webhook(body := envelope(), sign(body), SECRET, now_s=NOW_S)
    parse_webhook(body)
    assert caplog.text == ""
