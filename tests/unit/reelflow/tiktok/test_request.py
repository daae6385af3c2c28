import json
from urllib.parse import parse_qs

import pytest

from reelflow.exceptions import TikTokAuthError
from reelflow.tiktok.request import form_request, is_token, json_request

TOKEN = "act.example12345"


def test_a_json_call_carries_the_token_and_compact_json() -> None:
    request = json_request("/v2/a/", TOKEN, {"title": "Spring 🌱"}, method="GET")
    assert (request.path, request.method) == ("/v2/a/", "GET")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(request.body) == {"title": "Spring 🌱"}
    assert b' "' not in request.body
    assert json_request("/v2/a/", TOKEN).body == b""


def test_a_form_carries_its_fields_and_no_token() -> None:
    request = form_request("/v2/b/", {"a": "x&y=z", "b": "é"})
    assert request.method == "POST"
    assert parse_qs(request.body.decode()) == {"a": ["x&y=z"], "b": ["é"]}
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in request.headers


def test_a_request_shows_neither_headers_nor_body() -> None:
    shown = f"{json_request('/v2/a/', TOKEN)!r} {form_request('/v2/b/', {'secret': 's3cret'})!r}"
    assert TOKEN not in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize("token", ["", "act.a\r\nX-Evil: 1", "act.a b", "act.é", "a" * 4097])
def test_a_token_that_would_split_the_header_is_never_sent_nor_shown(token: str) -> None:
    assert not is_token(token)
    with pytest.raises(TikTokAuthError, match="reconnect the account") as caught:
        json_request("/v2/a/", token)
    assert "act." not in str(caught.value)
