"""The simulator as a process of its own, and what tests see and steer of it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.oauth import OAuthClient

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 30.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail with what was waited for after the deadline."""
    ends_at = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends_at, f"waited {DEADLINE_S:g} s in vain until {what}"
        time.sleep(0.005)


class Simulator:
    """One running ``python -m tiktok_simulator``.

    :param arguments: its options.
    """

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tiktok_simulator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "include")},
        )
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(DEADLINE_S):
                self.stop()
                raise AssertionError("the simulator printed no ready line")
        ready = json.loads(self.process.stdout.readline())
        self.api: str = ready["api"]
        self.upload_host: str = urlsplit(ready["upload"]).netloc
        self.accounts: list[dict[str, str]] = ready["accounts"]
        self.client_key: str = ready["client_key"]
        self.client_secret: str = ready["client_secret"]
        self._control: str = ready["control"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)

    def client(self, limits: TikTokLimits, *, host: str | None = None) -> TikTokClient:
        return TikTokClient(
            host=host or self.api,
            limits=limits,
            extra_upload_hosts=frozenset({self.upload_host}),
        )

    def oauth_client(self) -> OAuthClient:
        return OAuthClient(self.api, self.client_key, self.client_secret)

    def serve_domain(self, host: str, address: str) -> None:
        """Let the app own ``host``, and pulls from it go to ``http://127.0.0.1:<port>``."""
        self._post("/app", verified_domains=[host])
        self._post("/connect-to", host=host, address=address)

    def send_webhooks_to(self, url: str | None) -> None:
        self._post("/webhooks", url=url)

    def is_authorized(self, username: str) -> bool:
        """Whether the app has this creator's grant; at the start it has every creator's."""
        accounts = self._get("/accounts")["accounts"]
        return next(bool(one["is_authorized"]) for one in accounts if one["username"] == username)

    def posts(self) -> list[dict[str, Any]]:
        return list(self._get("/posts")["posts"])

    def drafts(self) -> list[dict[str, Any]]:
        return list(self._get("/posts")["drafts"])

    def uploads(self) -> list[dict[str, Any]]:
        """Every publication that was opened, oldest first."""
        return list(self._get("/uploads")["uploads"])

    def content(self, publish_id: str) -> bytes:
        url = f"{self._control}/uploads/{publish_id}/content"
        return requests.get(url, timeout=DEADLINE_S).content

    def hold(self, chunk: int, when: str) -> None:
        self._post("/hold", chunk=chunk, when=when)

    def wait_until_held(self) -> None:
        wait_until(lambda: self._get("/held")["held"], "a PUT is held")

    def slow_calls(self) -> int:
        """Return how many calls a slow fault delays now, whether or not somebody still waits."""
        return int(self._get("/held")["slow"])

    def release(self) -> None:
        self._post("/release")

    def fault(self, call: str, kind: str = "error", **fields: Any) -> None:
        self._post("/fault", call=call, kind=kind, **fields)

    def fail_next(self, fail_reason: str) -> None:
        self._post("/fail", fail_reason=fail_reason)

    def script(self, call: str, *steps: Any, **fields: Any) -> None:
        """Script the answers of the next calls of a kind."""
        self._post("/script", call=call, steps=list(steps), **fields)

    def switch(self, **values: Any) -> None:
        """Change some of the simulator's switches."""
        self._post("/switches", **values)

    def steer(self, path: str, **body: Any) -> None:
        """Send any control request."""
        self._post(path, **body)

    def advance(self, seconds: float) -> None:
        self._post("/clock", advance_s=seconds)

    def reset(self) -> None:
        self._post("/reset")

    def _get(self, path: str) -> Any:
        return requests.get(self._control + path, timeout=DEADLINE_S).json()

    def _post(self, path: str, **body: Any) -> None:
        response = requests.post(self._control + path, json=body, timeout=DEADLINE_S)
        assert response.ok, response.text
