"""Which addresses get our tokens, bytes and codes."""

from __future__ import annotations

import re

from reelflow.exceptions import ConfigurationError, TikTokRejectedError
from reelflow.http.address import parse_address, shown_address

TIKTOK_HOST = "open.tiktokapis.com"
"""Host of the JSON calls (content-posting-api-get-started, read 2026-09-11)."""

_UPLOAD_DOMAIN = ".tiktokapis.com"
# Upload hosts are many and not all documented (open-upload-i18n., open-upload-sg., upload.us., …),
# so the domain is checked and not a list.

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
    address = parse_address(text if "://" in text else f"https://{text}")
    if address is None or address.rest not in ("", "/"):
        raise ConfigurationError(
            f"{shown_address(text)!r} is no host for TikTok: set the host of the connection"
            f" tiktok_app to {TIKTOK_HOST}, or to the simulator's http://127.0.0.1:<port>.",
            code="tiktok_host",
        )
    if not (address.is_encrypted or address.is_this_machine):
        raise ConfigurationError(
            f"{shown_address(text)!r} would send access tokens unencrypted to another machine: use"
            " https://.",
            code="tiktok_host",
        )
    return address.origin


def check_upload_url(url: str, extra_hosts: frozenset[str] = frozenset()) -> str:
    """Return ``url`` unchanged if bytes may be sent there.

    :param url: upload URL as TikTok gave it; used verbatim, its query is a credential
    :param extra_hosts: more hosts, each ``host`` or ``host:port``, where http is good enough: the
        simulator's, by setting
    :raises TikTokRejectedError: if it is not https on a host of TikTok's (code
        ``upload_url_untrusted``); the message never shows path or query
    """
    address = parse_address(url)
    if address is not None:
        if {address.host, address.host + address.port} & extra_hosts:
            return url
        if address.is_encrypted and address.host.endswith(_UPLOAD_DOMAIN):
            return url
    origin = address.origin if address else "unreadable"
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
    address = parse_address(url)
    if address is not None and address.is_encrypted:
        return url
    raise ConfigurationError(
        f"{shown_address(url)!r} cannot be fetched by TikTok, which takes https without user"
        " name and fragment (content-posting-api-media-transfer-guide): correct the public URL.",
        code="pull_url",
    )


def check_redirect_uri(uri: str) -> str:
    """Return ``uri`` unchanged if TikTok could have it registered for an app (login-kit-desktop).

    :raises ConfigurationError: for anything else
    """
    if len(uri) < 512 and _REDIRECT_URI.fullmatch(uri):
        return uri
    raise ConfigurationError(
        f"{shown_address(uri)!r} cannot be a redirect URI: TikTok takes https without query and"
        " fragment, or for desktop apps http://localhost:<port>/ and http://127.0.0.1:<port>/.",
        code="redirect_uri",
    )
