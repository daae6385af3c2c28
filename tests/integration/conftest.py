"""A real simulator process for each module, forgotten between tests, and a publisher before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reelflow.services.workspace import Workspace
from tests import factories
from tests.integration.publisher import Publisher
from tests.integration.simulator_process import Simulator


@pytest.fixture(scope="module")
def simulator_process() -> Iterator[Simulator]:
    simulator = Simulator()
    try:
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    simulator_process.reset()
    return simulator_process


@pytest.fixture
def publisher(workspace: Workspace, clock: factories.Clock, simulator: Simulator) -> Publisher:
    """An account of the simulator's in a ledger of this test's own."""
    creator = simulator.accounts[0]
    account = factories.make_account(
        workspace, "aurora", open_id=creator["open_id"], access_token=creator["access_token"]
    )
    return Publisher(workspace, clock, simulator, account)
