"""Whose property a URL is: what TikTok may be asked to pull (D-MTG, "Pull from URL")."""

import re
from urllib.parse import SplitResult, urlsplit

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.rules import refuse

# The message as seen in real traffic: a pointer, not a reason.
UNVERIFIED = (
    "Please review our URL ownership verification rules at https://developers.tiktok.com/doc/"
    "content-posting-api-media-transfer-guide#pull_from_url"
)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
# This machine, or a name without dots: another container's. A name that begins with a digit could
# be an address on the internet in disguise.
_ADDRESS = re.compile(r"http://(?:127(?:\.\d{1,3}){3}|[a-z][a-z0-9-]*):(\d{1,5})", re.ASCII)
_PORTS = range(1, 65_536)
_DOTS = re.compile(r"(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|$)|\\", re.IGNORECASE)


def check_may_pull(url: str, app: AppSettings) -> None:
    """Refuse a URL that is no https URL (``invalid_params``, U) or on nobody's verified property.

    A verified domain covers its paths and subdomains; a verified prefix matches exactly. A path
    with dot segments could leave the prefix it begins with, so it matches none.
    """
    parts = _split(url)
    host = parts.hostname or ""
    is_own_domain = any(
        host == domain or host.endswith(f".{domain}") for domain in app.verified_domains
    )
    has_own_prefix = not _DOTS.search(parts.path) and any(
        url.startswith(prefix) for prefix in app.verified_url_prefixes
    )
    if not is_own_domain and not has_own_prefix:
        raise ApiError("url_ownership_unverified", UNVERIFIED)


def parse_connect_to(host: str, address: str) -> tuple[str, str]:
    """Return a host and the local address that pulls from it really go to.

    :raises ValueError: with a sentence, unless the address is ``http://HOST:PORT`` of this machine
        or of a container beside it.
    """
    if not _HOST.fullmatch(host):
        raise ValueError(f"connect-to needs a lower-case host name, not {host!r}.")
    local = _ADDRESS.fullmatch(address)
    if local is None or int(local[1]) not in _PORTS:
        raise ValueError(
            "connect-to needs http://HOST:PORT to connect to, HOST this machine (127.0.0.1) or a "
            f"name without dots, PORT 1 to 65535; not {address!r}."
        )
    return host, address


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        refuse("The url is invalid")
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_plain or parts.scheme != "https" or not parts.hostname:
        refuse("The url must be an https url")
    if has_port or "@" in parts.netloc or parts.fragment:
        refuse("The url must have neither user, port nor fragment")
    return parts
