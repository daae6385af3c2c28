import json

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok.answers import Answer, confirm_success, ids_of, success_data, text_of


def answer(status: int, code: str | None = None, **headers: str) -> Answer:
    body = {"error": {"code": code, "message": "why", "log_id": "20260911A"}} if code else {}
    return Answer(
        status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body).encode()
    )


def error_of(given: Answer) -> ReelflowError:
    with pytest.raises(ReelflowError) as caught:
        success_data(given, "init")
    return caught.value


def test_a_success_gives_its_data() -> None:
    body = b'{"data": {"a": 1}, "error": {"code": "ok", "message": "", "log_id": "x"}}'
    assert success_data(Answer(200, {}, body), "init") == {"a": 1}


def test_a_refusal_with_status_200_and_no_data_is_a_refusal() -> None:
    error = error_of(answer(200, "spam_risk_user_banned_from_posting"))
    assert type(error) is TikTokRejectedError
    assert error.code == "spam_risk_user_banned_from_posting"
    assert error.log_id == "20260911A"


@pytest.mark.parametrize("status", [400, 403])
def test_a_full_draft_inbox_is_the_same_under_both_seen_statuses(status: int) -> None:
    error = error_of(answer(status, "spam_risk_too_many_pending_share"))
    assert isinstance(error, TikTokRateLimitedError)


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("access_token_invalid", "access_token_invalid"),
        ("scope_not_authorized", "scope_not_authorized"),
        ("whatever", "access_token_invalid"),
    ],
)
def test_every_401_asks_to_reconnect(code: str | None, kept: str) -> None:
    error = error_of(answer(401, code))
    assert isinstance(error, TikTokAuthError)
    assert error.code == kept


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("7", 7),
        (None, 60),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60),
        ("-1", 60),
        ("9" * 9, 86_400),
        ("0", 1),
    ],
)
def test_a_429_waits_as_long_as_it_says_within_reason(value: str | None, wait_s: float) -> None:
    headers = {"Retry_After": value} if value else {}
    for code in ("rate_limit_exceeded", None):
        error = error_of(answer(429, code, **headers))
        assert isinstance(error, TikTokRateLimitedError)
        assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Service Unavailable</html>",
        b'{"error": {"code": "invalid_params"}}',
        b'{"data": {}, "error": {"code": "ok"}}',
    ],
)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_leaves_open_what_happened_whatever_its_body(status: int, body: bytes) -> None:
    error = error_of(Answer(status, {}, body))
    assert type(error) is TikTokUnavailableError
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("code", ["zzz_new", "spam_risk_too_many_posts"])
def test_a_5xx_keeps_the_code_that_tiktok_said(code: str) -> None:
    error = error_of(answer(503, code))
    assert type(error) is TikTokUnavailableError
    assert (error.code, error.retry_after_s) == (code, None)
    assert f"with {code} (HTTP 503" in str(error)
    assert [error_of(answer(503, none)).code for none in (None, "ok")] == ["internal_error"] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>ok</html>",
        b"null",
        b"[" * 100_000,
        b'{"data": {"publish_id": "a"}}',
        b'{"error": {"code": "ok"}}',
        b'{"data": [], "error": {"code": "ok"}}',
        b'{"data": {}, "error": "ok"}',
        b'{"data": {}, "error": {"code": 0}}',
        b"\xff\xfe\x00",
        b'{"data": {"n": ' + b"9" * 5000 + b'}, "error": {"code": "ok"}}',
    ],
)
def test_a_200_that_says_nothing_leaves_open_what_happened(body: bytes) -> None:
    error = error_of(Answer(200, {}, body))
    assert type(error) is TikTokUnavailableError
    assert error.code == "malformed_answer"


@pytest.mark.parametrize("status", [302, 401, 403, 404])
def test_a_refusal_without_a_code_is_not_from_tiktoks_api(status: int) -> None:
    error = error_of(Answer(status, {"Location": "https://login.example/"}, b"<html>"))
    assert type(error) is ConfigurationError
    assert error.code == "unexpected_answer"
    assert "tiktok_app" in str(error)


def test_a_call_without_data_is_confirmed_by_its_code_alone() -> None:
    confirm_success(answer(200, "ok"), "cancel")
    for given in (answer(200), answer(400, "invalid_publish_id"), answer(503, "ok")):
        with pytest.raises(ReelflowError):
            confirm_success(given, "cancel")


def test_a_text_holds_nothing_that_a_database_cannot() -> None:
    data = json.loads(r'{"a": "\ud83c\udf31 x\u0000y \ud83d", "b": 7}')
    assert text_of(data, "a") == "🌱 x\ufffdy \ufffd"
    assert text_of(data, "b") == text_of(data, "c") == ""


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (None, ()),
        ([], ()),
        (7678907398077074697, ("7678907398077074697",)),
        ("7678907398077074697", ("7678907398077074697",)),
        ([1, "2"], ("1", "2")),
        ([True, -1, 1.5, {}, "../x", "٣", "9" * 21], ()),
    ],
)
def test_ids_are_digits_in_every_seen_shape(value: object, ids: tuple[str, ...]) -> None:
    assert ids_of(value) == ids
