import pytest

from reelflow.exceptions import ConfigurationError, TikTokRejectedError
from reelflow.tiktok.hosts import (
    check_pull_url,
    check_redirect_uri,
    check_upload_url,
    normalise_host,
)

QUERY = "upload_id=7512345678901234567&upload_token=6f1c-secret"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("open.tiktokapis.com", "https://open.tiktokapis.com"),
        ("  Open.TikTokAPIs.com ", "https://open.tiktokapis.com"),
        ("https://open.tiktokapis.com/", "https://open.tiktokapis.com"),
        ("open.tiktokapis.com:8443", "https://open.tiktokapis.com:8443"),
        ("http://127.0.0.1:8999", "http://127.0.0.1:8999"),
        ("http://localhost:8999/", "http://localhost:8999"),
        ("http://[::1]:8999", "http://[::1]:8999"),
    ],
)
def test_every_spelling_of_a_host_becomes_one_origin(host: str, origin: str) -> None:
    assert normalise_host(host) == origin


@pytest.mark.parametrize(
    "host",
    [
        "",
        "open.tiktokapis.com/v2",
        "https://open.tiktokapis.com/?a=b",
        "https://user:pass@open.tiktokapis.com",
        "ftp://open.tiktokapis.com",
        "https://open.tiktokapis.com\\@evil.example",
        "https://open.tiktokapis.com\r\nHost: evil.example",
        "open..tiktokapis.com",
        "open.tiktokapis.com:70000",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="is no host for TikTok") as caught:
        normalise_host(host)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["http://open.tiktokapis.com", "http://10.0.0.1", "http://127.evil"]
)
def test_an_access_token_never_leaves_the_machine_unencrypted(host: str) -> None:
    with pytest.raises(ConfigurationError, match="unencrypted"):
        normalise_host(host)


@pytest.mark.parametrize(
    "url",
    [
        f"https://open-upload-i18n.tiktokapis.com/upload?{QUERY}",
        f"https://open-upload.tiktokapis.com/video/?{QUERY}",
        f"https://upload.us.tiktokapis.com/video/?{QUERY}",
        f"HTTPS://Open-Upload-SG.TikTokAPIs.com:443/upload?{QUERY}",
    ],
)
def test_every_upload_host_of_tiktok_is_accepted_verbatim(url: str) -> None:
    assert check_upload_url(url, frozenset()) == url


@pytest.mark.parametrize(
    "url",
    [
        f"http://open-upload.tiktokapis.com/upload?{QUERY}",
        f"https://eviltiktokapis.com/upload?{QUERY}",
        f"https://tiktokapis.com/upload?{QUERY}",
        f"https://open-upload.tiktokapis.com.evil.example/upload?{QUERY}",
        f"https://x@open-upload.tiktokapis.com/upload?{QUERY}",
        f"https://evil.example\\@open-upload.tiktokapis.com/upload?{QUERY}",
        f"https://evil.example#.tiktokapis.com/upload?{QUERY}",
        f"https://evil.example/.tiktokapis.com/upload?{QUERY}",
        f"https://open-upload.tiktokapis.com/upload?{QUERY}\r\nX: y",
        f"https://open-upload.tiktokapis.com./upload?{QUERY}",
        f" https://open-upload.tiktokapis.com/upload?{QUERY}",
        f"//open-upload.tiktokapis.com/upload?{QUERY}",
        f"http://127.0.0.1:9000/upload?{QUERY}",
        f"https://open-upload.tiktokapis.com/upload?{QUERY}" + "a" * 4096,
        "",
    ],
)
def test_bytes_go_nowhere_but_to_tiktok_and_the_refusal_hides_the_query(url: str) -> None:
    with pytest.raises(TikTokRejectedError, match="no byte was sent") as caught:
        check_upload_url(url)
    assert caught.value.code == "upload_url_untrusted"
    assert "secret" not in f"{caught.value} {caught.value.context}"


@pytest.mark.parametrize("allowed", ["127.0.0.1:9000", "127.0.0.1"])
def test_a_host_that_the_settings_allow_may_get_bytes_over_http(allowed: str) -> None:
    url = f"http://127.0.0.1:9000/upload?{QUERY}"
    assert check_upload_url(url, frozenset({allowed})) == url


def test_another_port_than_the_allowed_one_gets_no_bytes() -> None:
    with pytest.raises(TikTokRejectedError):
        check_upload_url(f"http://127.0.0.1:9001/upload?{QUERY}", frozenset({"127.0.0.1:9000"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example/reelflow/api/v1/public/media/1/2/3/a.jpg",
        "https://bucket.s3.example/a.mp4?X-Amz-Signature=s3cret",
    ],
)
def test_tiktok_may_fetch_from_https(url: str) -> None:
    assert check_pull_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example/a.jpg?signature=s3cret",
        "http://127.0.0.1:9000/a.jpg?signature=s3cret",
        "https://user:s3cret@media.example/a.jpg",
        "https://media.example/a.jpg?s3cret#fragment",
        "https://media.example/a b.jpg?s3cret",
        "file:///etc/passwd?s3cret",
        "https://media.example/" + "a" * 4096,
        "",
    ],
)
def test_other_urls_are_no_pull_and_their_signature_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="public URL") as caught:
        check_pull_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "https://reelflow.example/reelflow/api/v1/oauth/callback",
        "https://reelflow.example",
        "https://localhost:8443/callback/",
        "http://localhost:8400/callback/",
        "http://127.0.0.1:8400/",
    ],
)
def test_a_redirect_uri_that_can_be_registered_is_taken(uri: str) -> None:
    assert check_redirect_uri(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://reelflow.example/callback",
        "http://localhost/callback/",
        "http://127.0.0.1:*/callback/",
        "https://reelflow.example/callback?next=1",
        "https://reelflow.example/callback#x",
        "https://user@reelflow.example/callback",
        "https://reelflow.example/call back",
        "reelflow://callback",
        "https://reelflow.example/" + "a" * 500,
        "",
    ],
)
def test_a_redirect_uri_that_tiktok_would_not_take_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="redirect URI"):
        check_redirect_uri(uri)
