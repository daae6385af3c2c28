"""Where the server is, and that the key and the files travel there unread."""

from __future__ import annotations

import re
from typing import Final

from reelflow.exceptions import ConfigurationError
from reelflow.http.address import parse_address, shown_address

API_PATH: Final = "/reelflow/api/v1"
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)
_KEY: Final = re.compile(r"[!-~]{1,512}", re.ASCII)


def api_url(text: str, *, plain_http: bool = False) -> str:
    """Return the address below which the API's routes are.

    :param text: of the server, with or without the API's own path
    :param plain_http: let the key and the files travel unencrypted, also to another machine
    :raises ConfigurationError: it is no address, or one that would show them to whoever listens
    """
    text = text.strip()
    address = parse_address(text)
    if address is None or not _PATH.fullmatch(address.rest):
        raise ConfigurationError(
            f"{shown_address(text)!r} is no address of a Reelflow server: give one such as "
            "https://reelflow.example.com or http://127.0.0.1:8000, by --url or REELFLOW_API_URL",
            code="api_url",
        )
    if not (address.is_encrypted or address.is_this_machine or plain_http):
        raise ConfigurationError(
            f"{shown_address(text)!r} would send the API key and the files unencrypted to another "
            "machine: use https://, or --plain-http if nobody else is in that network",
            code="api_url_unencrypted",
        )
    return address.origin + address.rest.removesuffix("/").removesuffix(API_PATH) + API_PATH


def checked_key(text: str) -> str:
    """Return an API key that can be sent in a header; no message ever shows one.

    :raises ConfigurationError: there is none, or it has characters that no key has
    """
    key = text.strip()
    if not key:
        raise ConfigurationError(
            "REELFLOW_API_KEY is not set: make a key with `reelflow keys create` where the server "
            "runs, and set it in the environment",
            code="api_key",
        )
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            "REELFLOW_API_KEY has spaces or characters that no key has: set it to what `reelflow "
            "keys create` printed",
            code="api_key",
        )
    return key
