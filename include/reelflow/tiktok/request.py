"""One HTTP request to TikTok's JSON host, before anything is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from reelflow.exceptions import TikTokAuthError

_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)  # what can stand in a header without splitting it


@dataclass(frozen=True)
class Request:
    """One request to the JSON host.

    :param path: path on the host, with the trailing slash of the documentation, and the query
    :param headers: all headers to send; they may hold the access token, so they are never shown
    :param body: JSON text or a form, which may hold secrets, so it is never shown; or empty
    :param method: HTTP method
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"


def json_request(
    path: str, access_token: str, body: Mapping[str, Any] | None = None, *, method: str = "POST"
) -> Request:
    """Return a call in an account's name.

    :param body: the JSON object to send; None for no body
    :raises TikTokAuthError: if the token would split the header
    """
    if not is_token(access_token):
        raise TikTokAuthError(
            "The stored access token is empty or has characters that no token has:"
            " reconnect the account."
        )
    headers = {
        "Authorization": f"Bearer {access_token}",
        "Content-Type": "application/json; charset=UTF-8",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    text = b"" if body is None else json.dumps(body, separators=(",", ":")).encode("ascii")
    return Request(path, headers, text, method)


def form_request(path: str, fields: Mapping[str, str]) -> Request:
    """Return a call of the app itself: a form, as OAuth takes no JSON."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    return Request(path, headers, urlencode(fields).encode("ascii"))


def is_token(text: str) -> bool:
    """Whether ``text`` can be a token: printable ASCII of a length that fits into a header."""
    return _TOKEN.fullmatch(text) is not None
