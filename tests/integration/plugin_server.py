"""The intake inside of Airflow's API server, for tests that run against `reelflow serve` too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.contract.storage.stores import S3Server
from tests.integration.airflow_server import AirflowServer
from tests.integration.intake_server import (
    IntakeServer,
    forget_everything,
    new_settings,
    open_workspace,
)
from tests.integration.simulator_process import Simulator


class PluginServer:
    """One API server of Airflow's for many tests, each of which finds an empty ledger and store.

    It takes some seconds to start; one that a test killed is started again for the next.

    :param home: for data folder and ledger
    :param s3: where the files are to lie; None for the data folder
    """

    def __init__(self, home: Path, s3: S3Server | None = None) -> None:
        self._settings, self._bucket = new_settings(home, s3)
        self._airflow: AirflowServer | None = None
        self._tokens: Mapping[str, str] = {}

    def fresh(self, simulator: Simulator | None = None) -> IntakeServer:
        """Return the server, with nothing in its ledger and store.

        :param simulator: its TikTok, as the connection ``tiktok_app`` names it
        """
        workspace = open_workspace(self._settings)
        forget_everything(workspace)
        airflow = self._running()
        airflow.connect(simulator)
        return IntakeServer(
            airflow,
            Path(self._settings["REELFLOW_HOME"]),
            self._settings,
            workspace,
            anna=self._tokens["anna"],
            ben=self._tokens["ben"],
            carl=self._tokens["carl"],
            root=self._tokens["root"],
            bucket=self._bucket,
        )

    def stop(self) -> None:
        """End it, if it was started."""
        if self._airflow is not None:
            self._airflow.kill()

    def _running(self) -> AirflowServer:
        if self._airflow is None or self._airflow.process.poll() is not None:
            self._airflow = AirflowServer(self._settings)
            self._tokens = {user: self._airflow.token(user) for user in self._airflow.users}
        return self._airflow
