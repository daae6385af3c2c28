"""What all cases share, and playing one of them with it."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import delete, event

from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow.tiktok.oauth import OAuthClient
from tests import factories
from tests.integration.fault_matrix.calls import MadeCall, noting_calls
from tests.integration.fault_matrix.catalogue import PATIENCE_S, Case
from tests.integration.fault_matrix.trial import Outcome, Trial
from tests.integration.public_server import PublicServer, serving
from tests.integration.publisher import SMALL_CHUNKS, Publisher
from tests.integration.runs import add_connected_account
from tests.integration.simulator_process import Simulator

HOST: Final = "reelflow.example"

IMPATIENT: Final = replace(
    SMALL_CHUNKS,
    read_timeout_s=PATIENCE_S,
    put_stall_timeout_s=PATIENCE_S,
    put_answer_timeout_s=PATIENCE_S,
)


class Bench:
    """What all cases share: TikTok, a server it pulls from, a ledger that each finds empty."""

    def __init__(
        self,
        simulator: Simulator,
        server: PublicServer,
        clock: factories.Clock,
        made: list[MadeCall],
    ) -> None:
        self._simulator = simulator
        self._server = server
        self._clock = clock
        self._made = made

    def play(self, case: Case) -> Outcome:
        """Let a post go its way."""
        self._simulator.reset()
        self._simulator.serve_domain(HOST, self._server.address)
        self._clock.set(datetime.now(UTC))
        _empty(self._server.workspace)
        self._made.clear()
        limits = IMPATIENT if case.trouble.is_slow else SMALL_CHUNKS
        app = (self._simulator.api, self._simulator.client_key, self._simulator.client_secret)
        with OAuthClient(*app, limits=limits) as oauth:
            account = add_connected_account(self._server.workspace, self._simulator)
            publisher = Publisher(
                self._server.workspace, self._clock, self._simulator, account, limits, oauth=oauth
            )
            trial = Trial(case, publisher, self._made)
            try:
                trial.play()
            except Exception as exc:  # noqa: BLE001 - a bug that shows here fails its case alone
                trial.outcome.problems.append("".join(traceback.format_exception(exc)[-2:]))
        return trial.outcome


@contextmanager
def bench(root: Path) -> Iterator[Bench]:
    """Start what the cases share, and stop it when the block ends."""
    clock = factories.Clock()
    workspace = factories.open_workspace(root, clock, public_url=f"https://{HOST}")
    event.listen(workspace.ledger.engine, "connect", _trust_the_machine)
    simulator = Simulator()
    try:
        with serving(workspace) as server, noting_calls() as made:
            yield Bench(simulator, server, clock, made)
    finally:
        simulator.stop()


def _trust_the_machine(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # nobody cuts the power here


def _empty(workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        for table in reversed(Account.metadata.sorted_tables):
            session.execute(delete(table))
