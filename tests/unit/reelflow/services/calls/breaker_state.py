"""The breaker of a test's ledger, as it is now."""

from __future__ import annotations

from reelflow.services.calls import breaker
from reelflow.services.workspace import Workspace


def state_of(workspace: Workspace) -> breaker.BreakerState | None:
    with workspace.ledger.read() as session:
        return breaker.state(session, now=workspace.ledger.now())
