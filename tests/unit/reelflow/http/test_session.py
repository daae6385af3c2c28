from pathlib import Path

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.http.session import route_to

PROXY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a proxy and no certificates."""
    for name in ("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, PROXY)


def test_https_takes_the_proxy_of_the_environment() -> None:
    route = route_to("https://a.example/x")
    assert route["proxies"]["https"] == PROXY
    assert route["verify"] is True


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_https_takes_the_certificates_of_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, str(tmp_path))
    assert route_to("https://a.example/x")["verify"] == str(tmp_path)


def test_plain_http_goes_straight_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    assert route_to("http://127.0.0.1:8000/x") == {"proxies": {}, "verify": True}


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "/none.pem")
    with pytest.raises(ConfigurationError, match=r"/none\.pem, which does not exist") as caught:
        route_to("https://a.example/x")
    assert caught.value.code == "certificates"
