"""Redirect URIs: byte for byte, but for a desktop app's port."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_simulator.redirects import is_registered, with_query

LOOPBACK = "http://localhost:*/callback/"


@pytest.mark.parametrize(
    ("uri", "registered", "expected"),
    [
        ("https://app.example/cb", "https://app.example/cb", True),
        ("https://app.example/cb/", "https://app.example/cb", False),
        ("https://APP.example/cb", "https://app.example/cb", False),
        ("https://app-example/cb", "https://app.example/cb", False),
        ("https://app.example/cb?x=1", "https://app.example/cb", False),
        ("http://localhost:53117/callback/", LOOPBACK, True),
        ("http://localhost:53117/callback/", "http://localhost:53117/callback/", True),
        ("http://localhost:53118/callback/", "http://localhost:53117/callback/", False),
        ("http://localhost:/callback/", LOOPBACK, False),
        ("http://localhost/callback/", LOOPBACK, False),
        ("http://localhost:53117/callback", LOOPBACK, False),
        ("http://localhost:1@evil.example/callback/", LOOPBACK, False),
        ("http://127.0.0.1:53117/callback/", LOOPBACK, False),
        ("http://localhost:123456/callback/", LOOPBACK, False),
        ("http://localhost:*/callback/", LOOPBACK, False),
        ("http://localhost:53117/callback/\n", LOOPBACK, False),
        ("", LOOPBACK, False),
    ],
)
def test_a_redirect_uri_is_registered_byte_for_byte(
    uri: str, registered: str, expected: bool
) -> None:
    assert is_registered(uri, ("https://other.example/", registered)) is expected


@given(state=st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_what_goes_back_can_be_decoded(state: str) -> None:
    url = with_query("http://localhost:1/callback/", {"code": "a*0!1", "state": state})

    assert parse_qs(urlsplit(url).query, keep_blank_values=True) == {
        "code": ["a*0!1"],
        "state": [state],
    }


def test_a_code_must_be_decoded_before_it_is_used() -> None:
    assert with_query("https://a.example/", {"code": "a*0!1"}).endswith("?code=a%2A0%211")
