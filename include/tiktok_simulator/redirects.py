"""Redirect URIs: whether one was registered, and the URL that leads back to the app."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Whether a redirect URI is, byte for byte, a registered one; ``:*`` stands for any port."""
    return any(
        re.fullmatch(re.escape(one).replace(r":\*", r":\d{1,5}", 1), uri, re.ASCII)
        for one in registered
    )


def with_query(uri: str, parameters: Mapping[str, str]) -> str:
    """Return the callback's URL; what codes hold besides letters and digits is percent-encoded."""
    return f"{uri}?{urlencode(parameters, quote_via=quote, safe='')}"
