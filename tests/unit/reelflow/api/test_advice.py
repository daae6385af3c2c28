"""What services advise, told to who has no command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reelflow
from reelflow.api.advice import for_callers

SOURCES = Path(reelflow.__file__).parent
COMMAND = re.compile(r"reelflow posts ([a-z]+)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "choose one with `reelflow posts release 7 --privacy LEVEL`; or not",
            'choose one with `POST /posts/7/release` with {"privacy_level": LEVEL}; or not',
        ),
        ("no post has id 5: see `reelflow posts list`", "no post has id 5: see `GET /posts`"),
        (
            "`reelflow posts cancel` stops it, and `reelflow posts retry --at TIME` then",
            '`POST /posts/{id}/cancel` stops it, and `POST /posts/{id}/retry` with {"publish_at": '
            "TIME} then",
        ),
        (
            "by `reelflow posts cover ID --at-ms MS`, then `reelflow posts retry ID`",
            'by `PATCH /posts/ID` with {"cover_timestamp_ms": MS}, then `POST /posts/ID/retry`',
        ),
        (
            "`reelflow posts release 12 --disable-duet`",
            '`POST /posts/12/release` with {"disable": ["duet"]}',
        ),
        (
            "`reelflow accounts connect acme`; its posts go on",
            "`reelflow accounts connect acme` on the server; its posts go on",
        ),
        (
            "release it with --privacy and one of A",
            'release it with "privacy_level" and one of A',
        ),
        ("is gone: put the file into the inbox again", "is gone: upload the file again"),
        ("a sentence without advice", "a sentence without advice"),
    ],
)
def test_commands_become_addresses(text: str, told: str) -> None:
    assert for_callers(text) == told


def test_every_command_for_posts_that_services_advise_has_its_address() -> None:
    layers = ("domain", "ledger", "services")
    modules = [path for layer in layers for path in (SOURCES / layer).rglob("*.py")]
    # A message may go on in the next line of the source.
    told = {
        name
        for path in modules
        for name in COMMAND.findall(re.sub(r'"\s+f?"', "", path.read_text()))
    }
    assert {"release", "retry", "cancel"} <= told
    for name in told:
        assert "reelflow" not in for_callers(f"`reelflow posts {name} 5`"), name
