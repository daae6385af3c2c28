"""A creator before the simulator's consent page: what a person does there with a browser."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests

TIMEOUT_S = 60


def decide(url: str, username: str, *, decision: str = "authorize", leave_out: str = "") -> str:
    """Press a button of the consent page, and return where it sends the browser to.

    :param leave_out: a scope whose box is unticked
    """
    asked = parse_qs(urlsplit(url).query)["scope"][0].split(",")
    form = [("account", username), ("decision", decision)]
    form += [("scope", scope) for scope in asked if scope != leave_out]
    answer = requests.post(url, data=form, timeout=TIMEOUT_S, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def query_of(location: str) -> dict[str, str]:
    """Return what the browser brings to the redirect URI."""
    return dict(parse_qsl(urlsplit(location).query))
