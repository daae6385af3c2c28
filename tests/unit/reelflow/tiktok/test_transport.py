import ssl
from typing import Any

import pytest
import requests
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from reelflow.exceptions import ConfigurationError, TikTokUnavailableError, TikTokUnreachableError
from reelflow.tiktok.source import BLOCK_BYTES
from reelflow.tiktok.transport import Transport

POOL = HTTPSConnectionPool("open.tiktokapis.com")
URL = "https://open.tiktokapis.com/upload?upload_token=s3cret"


def wrapped(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(POOL, URL, reason))


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (wrapped(ConnectTimeoutError()), TikTokUnreachableError),
        (wrapped(ProxyError("no", OSError())), TikTokUnreachableError),
        (wrapped(SSLError(ssl.SSLCertVerificationError())), TikTokUnreachableError),
        (wrapped(SSLError(ssl.SSLEOFError())), TikTokUnavailableError),
        (requests.ConnectionError(ProtocolError("cut", OSError())), TikTokUnavailableError),
        (requests.ReadTimeout(ReadTimeoutError(POOL, URL, "late")), TikTokUnavailableError),
        (requests.exceptions.ChunkedEncodingError(), TikTokUnavailableError),
    ],
)  # fmt: skip
def test_a_failure_before_the_request_is_told_apart_from_one_after_it(
    raised: Exception, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise raised

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", fail)
    with pytest.raises(error) as caught:
        Transport().send("PUT", URL, {}, b"", (1, 1))
    assert type(caught.value) is error
    assert caught.value.__context__ is None
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1"])
def test_bodies_are_sent_in_large_blocks_also_through_a_proxy(proxy: str | None) -> None:
    adapter = Transport()._session.get_adapter(URL)
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    manager = adapter.proxy_manager_for(proxy) if proxy else adapter.poolmanager
    connection = manager.connection_from_url(URL)._new_conn()
    assert connection.blocksize == BLOCK_BYTES


def test_https_goes_through_the_proxy_and_the_certificates_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, closed_address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed_address}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(TikTokUnreachableError, match="ProxyError"):
        Transport().send("POST", "https://tiktok.invalid/", {}, b"", (1, 1))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")
    with pytest.raises(ConfigurationError, match=r"/nonexistent/ca\.pem"):
        Transport().send("POST", "https://tiktok.invalid/", {}, b"", (1, 1))
