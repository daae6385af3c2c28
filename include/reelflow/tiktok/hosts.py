"""Which addresses get our tokens, bytes and codes."""

from __future__ import annotations

import ipaddress
import re

from reelflow.exceptions import ConfigurationError, TikTokRejectedError

TIKTOK_HOST = "open.tiktokapis.com"
"""Host of the JSON calls (content-posting-api-get-started, read 2026-09-11)."""

_UPLOAD_DOMAIN = ".tiktokapis.com"
# Upload hosts are many and not all documented (open-upload-i18n., open-upload-sg., upload.us., …),
# so the domain is checked and not a list.

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]{2,45}\])"
    r"(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>[/?][!$-\[\]-~]*)?",  # printable ASCII; no backslash, on which parsers disagree
    re.IGNORECASE | re.ASCII,
)
_URL_MAX_CHARS = 4096  # upload URLs have 256; presigned ones of an object store up to 3000

# Web: https, no query, no fragment; desktop: this machine and a port (login-kit-desktop). Under 512
# characters either way.
_REDIRECT_URI = re.compile(
    r"https://[a-zA-Z0-9.-]+(?::[0-9]{1,5})?(?:/[!-\"$->@-~]*)?"
    r"|http://(?:localhost|127\.0\.0\.1):[0-9]{1,5}(?:/[!-\"$->@-~]*)?",
    re.ASCII,
)


def normalise_host(host: str) -> str:
    """Return the origin of the JSON calls, such as ``https://open.tiktokapis.com``.

    :param host: ``name``, ``name:port`` or either with ``https://``; ``http://`` is accepted for
        this machine alone, where the simulator runs, because the access token travels on it
    :raises ConfigurationError: for anything else
    """
    text = host.strip()
    match = _parsed(text if "://" in text else f"https://{text}")
    if match is None or match["rest"] not in (None, "/"):
        raise ConfigurationError(
            f"{_shown(text)!r} is no host for TikTok: set the host of the connection tiktok_app to"
            f" {TIKTOK_HOST}, or to the simulator's http://127.0.0.1:<port>.",
            code="tiktok_host",
        )
    if match["scheme"].lower() == "http" and not _is_this_machine(match["host"]):
        raise ConfigurationError(
            f"{_shown(text)!r} would send access tokens unencrypted to another machine:"
            " use https://.",
            code="tiktok_host",
        )
    return f"{match['scheme']}://{match['host']}{match['port'] or ''}".lower()


def check_upload_url(url: str, extra_hosts: frozenset[str] = frozenset()) -> str:
    """Return ``url`` unchanged if bytes may be sent there.

    :param url: upload URL as TikTok gave it; used verbatim, its query is a credential
    :param extra_hosts: more hosts, each ``host`` or ``host:port``, where http is good enough: the
        simulator's, by setting
    :raises TikTokRejectedError: if it is not https on a host of TikTok's (code
        ``upload_url_untrusted``); the message never shows path or query
    """
    match = _parsed(url)
    if match is not None:
        host, port = match["host"].lower(), match["port"] or ""
        if host in extra_hosts or f"{host}{port}" in extra_hosts:
            return url
        if match["scheme"].lower() == "https" and host.endswith(_UPLOAD_DOMAIN):
            return url
    origin = f"{match['scheme']}://{match['host']}{match['port'] or ''}" if match else "unreadable"
    raise TikTokRejectedError(
        f"The upload URL ({origin}) is not https on a host of TikTok's, so no byte was sent."
        " If this is the simulator, allow its upload host in the settings.",
        code="upload_url_untrusted",
    )


def check_pull_url(url: str) -> str:
    """Return ``url`` unchanged if TikTok may be told to fetch a medium there.

    :raises ConfigurationError: if it is not https, or has user name or fragment; the message never
        shows the query, which may be a signature
    """
    match = _parsed(url)
    if match is not None and match["scheme"].lower() == "https":
        return url
    raise ConfigurationError(
        f"{_shown(url)!r} cannot be fetched by TikTok, which takes https without user name and"
        " fragment (content-posting-api-media-transfer-guide): correct the public URL.",
        code="pull_url",
    )


def check_redirect_uri(uri: str) -> str:
    """Return ``uri`` unchanged if TikTok could have it registered for an app (login-kit-desktop).

    :raises ConfigurationError: for anything else
    """
    if len(uri) < 512 and _REDIRECT_URI.fullmatch(uri):
        return uri
    raise ConfigurationError(
        f"{_shown(uri)!r} cannot be a redirect URI: TikTok takes https without query and fragment,"
        " or for desktop apps http://localhost:<port>/ and http://127.0.0.1:<port>/.",
        code="redirect_uri",
    )


def _parsed(url: str) -> re.Match[str] | None:
    """Split ``url``; None if it has userinfo, a fragment or anything else that we never need."""
    match = _ADDRESS.fullmatch(url) if len(url) <= _URL_MAX_CHARS else None
    if match is None or int((match["port"] or ":0")[1:]) > 65_535:
        return None
    return match


def _is_this_machine(host: str) -> bool:
    """Whether ``host`` is a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """Cut ``text`` for a message, without what may be a secret: userinfo and query."""
    return re.sub(r"//[^/@]*@", "//…@", text).partition("?")[0][:100]
