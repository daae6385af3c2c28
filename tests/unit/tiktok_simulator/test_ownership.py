"""Which URLs TikTok may be asked to pull."""

import pytest

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.ownership import check_may_pull, parse_connect_to

APP = AppSettings(
    verified_domains=("media.example",),
    verified_url_prefixes=("https://store.example/bucket/",),
)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example/a.mp4",
        "https://media.example",
        "https://eu.cdn.media.example/deep/a.jpg?signature=abc",
        "https://MEDIA.example/a.mp4",
        "https://store.example/bucket/a.mp4?X-Amz-Signature=1",
    ],
)
def test_a_url_on_a_verified_domain_or_prefix_may_be_pulled(url: str) -> None:
    check_may_pull(url, APP)


@pytest.mark.parametrize(
    "url",
    [
        "https://example/a.mp4",
        "https://evilmedia.example/a.mp4",
        "https://media.example.evil/a.mp4",
        "https://store.example/a.mp4",
        "https://store.example/buckets/a.mp4",
        "https://eu.store.example/bucket/a.mp4",
        "https://store.example/bucket/../secret.mp4",
        "https://store.example/bucket/%2e%2e/secret.mp4",
        "https://store.example/bucket/..%2Fsecret.mp4",
        "https://127.0.0.1/a.mp4",
    ],
)
def test_a_url_on_nobodys_property_is_a_403(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_may_pull(url, APP)

    assert (caught.value.code, caught.value.status) == ("url_ownership_unverified", 403)
    assert "#pull_from_url" in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "media.example/a.mp4",
        "http://media.example/a.mp4",
        "ftp://media.example/a.mp4",
        "https:///a.mp4",
        "https://user@media.example/a.mp4",
        "https://media.example:8443/a.mp4",
        "https://media.example:x/a.mp4",
        "https://media.example/a.mp4#t=1",
        "https://media.example/a b.mp4",
        "https://media.example/\u00e4.mp4",
        "https://media.example/a\n.mp4",
        "https://[::1/a.mp4",
    ],
)
def test_what_is_no_plain_https_url_is_a_400(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_may_pull(url, APP)

    assert (caught.value.code, caught.value.status) == ("invalid_params", 400)


def test_nothing_may_be_pulled_before_anything_is_verified() -> None:
    with pytest.raises(ApiError):
        check_may_pull("https://media.example/a.mp4", AppSettings())


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000", "http://localhost:1", "http://web-1:65535"]
)
def test_a_host_is_mapped_to_an_address_of_this_machine_or_its_containers(address: str) -> None:
    assert parse_connect_to("media.example", address) == ("media.example", address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://127.0.0.1:8000"),
        ("localhost", "http://127.0.0.1:8000"),
        ("Media.example", "http://127.0.0.1:8000"),
        ("https://media.example", "http://127.0.0.1:8000"),
        ("media.example", ""),
        ("media.example", "127.0.0.1:8000"),
        ("media.example", "http://127.0.0.1"),
        ("media.example", "http://127.0.0.1:8000/"),
        ("media.example", "https://127.0.0.1:8000"),
        ("media.example", "http://127.0.0.1:999999"),
        ("media.example", "http://127.0.0.1:99999"),
        ("media.example", "http://127.0.0.1:65536"),
        ("media.example", "http://127.0.0.1:0"),
        ("media.example", "http://8.8.8.8:80"),
        ("media.example", "http://134744072:80"),
        ("media.example", "http://169.254.169.254:80"),
        ("media.example", "http://tiktok.com:80"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused(host: str, address: str) -> None:
    with pytest.raises(ValueError, match="connect-to needs"):
        parse_connect_to(host, address)
