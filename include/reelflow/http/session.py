"""How requests are sent: as they are told, with proxies and certificates of the environment."""

from __future__ import annotations

import os
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from reelflow.exceptions import ConfigurationError


class _Session(requests.Session):
    """Looks at no ``Location``: requests would parse it, and read that body whole, unasked."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that an answer redirects nowhere."""


def new_session(adapter: HTTPAdapter) -> requests.Session:
    """Return a session that keeps no cookie, and sends what it is told and nothing else."""
    session = _Session()
    # From the environment requests would also take ~/.netrc, whose password replaces a token and
    # would be sent to any host; route_to() takes proxies and certificates only.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "reelflow"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def route_to(url: str) -> dict[str, Any]:
    """Return proxies and certificates of the environment for a request; plain http uses none.

    :raises ConfigurationError: the environment names certificates that do not exist
    """
    if url.startswith("http://"):
        return {"proxies": {}, "verify": True}
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle and not Path(bundle).exists():
        raise ConfigurationError(
            f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names {bundle}, which does not exist: set it to "
            "the file of certificates, or unset it",
            code="certificates",
        )
    return {"proxies": get_environ_proxies(url), "verify": bundle or True}
