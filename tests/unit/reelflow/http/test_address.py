import pytest

from reelflow.http.address import Address, parse_address, shown_address


@pytest.mark.parametrize(
    ("url", "address", "origin"),
    [
        ("https://a.example", Address("https", "a.example", "", ""), "https://a.example"),
        (
            "HTTP://[::1]:80/Path?Query=1",
            Address("http", "[::1]", ":80", "/Path?Query=1"),
            "http://[::1]:80",
        ),
        ("https://A.example:65535?q", Address("https", "a.example", ":65535", "?q"),
         "https://a.example:65535"),
    ],
)  # fmt: skip
def test_an_address_is_split_with_its_path_as_it_was_written(
    url: str, address: Address, origin: str
) -> None:
    assert parse_address(url) == address
    assert address.origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "ftp://a.example",
        "https://mia@a.example",
        "https://a.example#fragment",
        "https://a.example/#fragment",
        "https://a.example:65536",
        "https://a..example",
        "https://a.example\\b",
        "https://a.example/\\b",
        "https://a.example/a b",
        "https://a.example\n",
        "https://ä.example",
        "https://\N{KELVIN SIGN}.example",
        "https://a.example/" + "x" * 4096,
    ],
)
def test_what_parsers_could_read_in_two_ways_is_no_address(url: str) -> None:
    assert parse_address(url) is None


@pytest.mark.parametrize(
    ("url", "is_this_machine"),
    [
        ("http://localhost", True),
        ("http://LocalHost:1/x", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://127.evil", False),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
        ("http://[::2]", False),
    ],
)
def test_this_machine_is_what_leads_back_to_it_alone(url: str, is_this_machine: bool) -> None:
    address = parse_address(url)
    assert address is not None
    assert address.is_this_machine is is_this_machine


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://mia:s3cret@a.example/x", "https://…@a.example/x"),
        ("https://a.example/x?token=s3cret", "https://a.example/x"),
        ("x" * 200, "x" * 100),
    ],
)
def test_a_message_shows_no_secret_and_no_novel(text: str, shown: str) -> None:
    assert shown_address(text) == shown
