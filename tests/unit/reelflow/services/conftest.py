"""Fixtures of the services' tests."""

from __future__ import annotations

import pytest

from tests.unit.reelflow.services.settling.asked_tiktok import AskedTikTok


@pytest.fixture
def tiktok() -> AskedTikTok:
    return AskedTikTok()
