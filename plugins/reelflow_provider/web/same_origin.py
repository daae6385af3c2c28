"""Whether a request was made by a page of this server, as its browser tells.

A browser sends the session cookie along with whatever any page makes it ask for. The cookie is
``SameSite=Lax``, which stops other sites, but not another server below the same domain.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def is_same_origin(request: Request, base_url: str) -> bool:
    """Say whether the browser vouches that the request came from a page of this server.

    :param base_url: the address at which browsers know this server, where a proxy hides it
    """
    # No page can set either header, so a browser that sends the first needs no look at the other.
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    # A proxy ends TLS, so the scheme of its own request says nothing.
    scheme, separator, _ = origin.partition("://")
    own = f"{scheme}{separator}{request.headers.get('host', '')}"
    try:
        asks = _address(origin)
        return asks is not None and asks in (_address(own), _address(base_url))
    except ValueError:  # no address at all, or a port that is none
        return False


def _address(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port; None where a URL has none, as the origin ``null``."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
