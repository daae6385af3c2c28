"""The API of `reelflow serve`: who is let in, and what is said of what is wrong."""

from __future__ import annotations

import requests

from tests.integration.intake_server import ON_BOTH_STORES, IntakeServer


@ON_BOTH_STORES
def test_it_is_well(serving: IntakeServer) -> None:
    answer = requests.get(f"{serving.api}/health", timeout=10)
    assert (answer.status_code, answer.json()["checks"]) == (
        200,
        {"database": "ok", "storage": "ok"},
    )
