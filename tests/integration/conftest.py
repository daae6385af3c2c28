"""A publisher before the simulator process of tests/conftest.py."""

from __future__ import annotations

import pytest

from reelflow.services.workspace import Workspace
from tests import factories
from tests.integration.publisher import Publisher
from tests.integration.simulator_process import Simulator


@pytest.fixture
def publisher(workspace: Workspace, clock: factories.Clock, simulator: Simulator) -> Publisher:
    """An account of the simulator's in a ledger of this test's own."""
    creator = simulator.accounts[0]
    account = factories.make_account(
        workspace, "aurora", open_id=creator["open_id"], access_token=creator["access_token"]
    )
    return Publisher(workspace, clock, simulator, account)
