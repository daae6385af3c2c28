"""`reelflow serve`, for tests that can share it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.contract.storage.stores import S3Server
from tests.integration.intake_server import (
    IntakeServer,
    forget_everything,
    new_settings,
    serving_intake,
)
from tests.integration.simulator_process import Simulator
from tests.integration.web_process import WebProcess


class ServeServer:
    """One `reelflow serve` for many tests, each of which finds an empty ledger and store.

    One that a test killed is started again for the next.

    :param home: for data folder and ledger
    :param s3: where the files are to lie; None for the data folder
    """

    def __init__(self, home: Path, s3: S3Server | None = None) -> None:
        self._settings, self._bucket = new_settings(home, s3)
        self._ends = ExitStack()
        self._server: IntakeServer | None = None
        self._simulator: Simulator | None = None

    def fresh(self, simulator: Simulator | None = None) -> IntakeServer:
        """Return the server, with nothing in its ledger and store but its users' keys.

        :param simulator: its TikTok; it is started anew for another one
        """
        server = self._server
        if server is None or simulator is not self._simulator or not _is_running(server):
            server = self._start(simulator)
        forget_everything(server.workspace)
        return server

    def stop(self) -> None:
        """End it, if it was started."""
        self._ends.close()

    def _start(self, simulator: Simulator | None) -> IntakeServer:
        self.stop()
        serving = serving_intake(self._settings, simulator=simulator, bucket=self._bucket)
        self._server, self._simulator = self._ends.enter_context(serving), simulator
        return self._server


def _is_running(server: IntakeServer) -> bool:
    assert isinstance(server.process, WebProcess)
    return server.process.process.poll() is None
