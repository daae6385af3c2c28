"""What the demo knows of a running simulator: its ready line, and what it published."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Account:
    """One creator account of the simulator."""

    open_id: str
    username: str
    access_token: str = field(repr=False)


@dataclass(frozen=True)
class Simulator:
    """Where the running simulator listens, and the accounts it knows.

    :param api_url: what a TikTok client takes for TikTok's API
    :param upload_url: where upload URLs point to
    :param control_url: what only tests and the demo ask
    :param client_key: of the app that the accounts authorized
    """

    api_url: str
    upload_url: str
    control_url: str
    accounts: tuple[Account, ...]
    client_key: str
    client_secret: str = field(repr=False)

    def posts(self) -> list[dict[str, Any]]:
        """Return what was published, each as its ids, its size in ``bytes`` and its ``sha256``.

        :raises requests.RequestException: if the simulator does not answer
        """
        posts: list[dict[str, Any]] = self.control("GET", "/posts")["posts"]
        return posts

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call its control API.

        :raises requests.RequestException: if the simulator does not answer, or refuses
        """
        url = f"{self.control_url}{path}"
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and our own process
            response = session.request(method, url, json=body, timeout=TIMEOUT_S)
        response.raise_for_status()
        return response.json()


def read_ready_line(log_path: Path) -> Simulator | None:
    """Return what the simulator said when it was ready, or ``None`` if it did not say it yet.

    :param log_path: its output so far
    """
    for line in log_path.read_text(errors="replace").splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):  # else it is still being written
            return _parse_ready_line(line)
    return None


def _parse_ready_line(line: str) -> Simulator:
    ready = json.loads(line)
    return Simulator(
        api_url=ready["api"],
        upload_url=ready["upload"],
        control_url=ready["control"],
        accounts=tuple(
            Account(one["open_id"], one["username"], one["access_token"])
            for one in ready["accounts"]
        ),
        client_key=ready["client_key"],
        client_secret=ready["client_secret"],
    )
