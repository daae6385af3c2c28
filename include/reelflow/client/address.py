"""Where the server is, and that the key and the files travel there unread."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from reelflow.exceptions import ConfigurationError

API_PATH: Final = "/reelflow/api/v1"
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]{2,45}\])"
    r"(?P<port>:[0-9]{1,5})?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_CHARS: Final = 2048
_KEY: Final = re.compile(r"[!-~]{1,512}", re.ASCII)


def api_url(text: str, *, plain_http: bool = False) -> str:
    """Return the address below which the API's routes are.

    :param text: of the server, with or without the API's own path
    :param plain_http: let the key and the files travel unencrypted, also to another machine
    :raises ConfigurationError: it is no address, or one that would show them to whoever listens
    """
    text = text.strip()
    match = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST_CHARS else None
    if match is None or int((match["port"] or ":0")[1:]) > 65_535:
        raise ConfigurationError(
            f"{_shown(text)!r} is no address of a Reelflow server: give one such as "
            "https://reelflow.example.com or http://127.0.0.1:8000, by --url or REELFLOW_API_URL",
            code="api_url",
        )
    if match["scheme"].lower() == "http" and not plain_http and not _is_this_machine(match["host"]):
        raise ConfigurationError(
            f"{_shown(text)!r} would send the API key and the files unencrypted to another "
            "machine: use https://, or --plain-http if nobody else is in that network",
            code="api_url_unencrypted",
        )
    origin = f"{match['scheme']}://{match['host']}{match['port'] or ''}".lower()
    return origin + match["path"].removesuffix(API_PATH) + API_PATH


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


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """Cut an address for a message, without what may be a password."""
    return re.sub(r"//[^/@]*@", "//…@", text).partition("?")[0][:100]
