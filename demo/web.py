"""What the demo asks of a running `reelflow serve`."""

from __future__ import annotations

import requests

TIMEOUT_S = 10.0


def is_web_healthy(web_url: str) -> bool:
    """Whether the web application answers that database and data folder are as they should be.

    :param web_url: its address, with the path of its API
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy between us and our own process
        try:
            return session.get(f"{web_url}/health", timeout=TIMEOUT_S).ok
        except requests.ConnectionError:
            return False
