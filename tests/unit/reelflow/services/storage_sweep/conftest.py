"""Fixtures of the sweep's tests: a ledger that is older than what lies in its store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock behind the machine's, by which files are told: what is put now is younger."""
    return Clock(datetime.now(UTC) - timedelta(hours=1))
