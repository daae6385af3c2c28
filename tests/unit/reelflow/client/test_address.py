import pytest

from reelflow.client.address import api_url, checked_key
from reelflow.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://reelflow.example.com", "https://reelflow.example.com/reelflow/api/v1"),
        (" https://Reelflow.example.com/ ", "https://reelflow.example.com/reelflow/api/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/reelflow/api/v1"),
        ("http://127.0.0.1:8000/reelflow/api/v1", "http://127.0.0.1:8000/reelflow/api/v1"),
        ("http://[::1]:80/reelflow/api/v1/", "http://[::1]:80/reelflow/api/v1"),
        ("http://localhost:1", "http://localhost:1/reelflow/api/v1"),
        ("https://a.example/team", "https://a.example/team/reelflow/api/v1"),
    ],
)
def test_an_address_is_taken_with_and_without_the_apis_path(text: str, url: str) -> None:
    assert api_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reelflow.example.com",
        "ftp://a.example",
        "https://",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://a.example:70000",
        "https://a.example\\@b.example",
        "https://a.example/" + "x" * 5000,
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no address .*such as https://"):
        api_url(text)


def test_a_password_in_an_address_is_refused_and_never_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        api_url("https://mia:s3cret@a.example")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.7:8000", "localhost.example.com"])
def test_nothing_travels_unencrypted_to_another_machine_unless_that_is_asked_for(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unencrypted .*--plain-http"):
        api_url(f"http://{host}")
    assert api_url(f"http://{host}", plain_http=True).startswith(f"http://{host}/")


def test_a_key_is_taken_without_the_line_end_that_a_file_gave_it() -> None:
    assert checked_key("rfk_a_b\n") == "rfk_a_b"


@pytest.mark.parametrize("text", ["", " ", "a b", "clé", "x" * 513, "a\x00b"])
def test_what_is_no_key_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="REELFLOW_API_KEY") as caught:
        checked_key(text)
    assert not text.strip() or text.strip() not in str(caught.value)
