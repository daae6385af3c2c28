"""Servers of the intake that are killed with -9 and started again, and which of them there are.

Their names say what is killed, where its files lie, and what its ledger is. ``INTAKE_KILLS`` says
how often `reelflow serve` is killed while it takes chunks in and finishes files; Airflow's API
server, which takes many seconds to start, is killed a fifth as often, and only in the full form.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Final

from reelflow.domain.user import Scope
from reelflow.services.api_keys import create_key
from tests.factories import make_account
from tests.integration.airflow_server import AirflowServer
from tests.integration.intake_server import open_workspace
from tests.integration.raw_client import PatientClient
from tests.integration.web_process import WebProcess

KILLS: Final = int(os.environ.get("INTAKE_KILLS", "4"))
#: So many that all servers are killed, and that every kind of moment is among them.
MANY: Final = 100
IS_FULL: Final = KILLS >= MANY


def rounds_of(name: str, names: Sequence[str], kills: int) -> int:
    """Return how often one of these servers is killed at some work; all of its kind share it."""
    kind = name.partition("-")[0]
    return ceil(kills / sum(one.startswith(kind) for one in names))


class KilledServer:
    """A server on a ledger and files that outlive it, and one user of it.

    :param settings: its environment
    :param is_plugin: whether it is Airflow's API server
    :ivar workspace: the same ledger and files, from this process
    """

    def __init__(self, settings: Mapping[str, str], *, is_plugin: bool) -> None:
        self._settings = settings
        self._process: WebProcess | AirflowServer
        self.workspace = open_workspace(settings)
        make_account(self.workspace, "acme")
        if is_plugin:
            self._process = AirflowServer(settings)
            self._key = self._process.token("anna")
        else:
            scopes = frozenset({Scope.WRITE})
            self._key = create_key(self.workspace, "anna", "", scopes, None, "tests")[1]
            self._process = self._serve()

    def client(self) -> PatientClient:
        """Return a new client of its user."""
        return PatientClient(self._process.api, self._key)

    def kill(self) -> None:
        """End it as it stands, with all its processes."""
        self._process.kill()

    def start(self) -> None:
        """Start it again; the user's key is good still."""
        if isinstance(self._process, AirflowServer):
            self._process.start()
        else:
            self._process = self._serve()

    def _serve(self) -> WebProcess:
        return WebProcess(Path(self._settings["REELFLOW_HOME"]), settings=self._settings)
