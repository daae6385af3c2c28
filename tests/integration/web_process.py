"""`reelflow serve` as a process of its own."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reelflow.api.app import API_PATH
from reelflow.services.workspace import Workspace
from tests import factories
from tests.data_folder import data_folder
from tests.integration.simulator_process import Simulator

SCRIPT: Final = Path(sys.executable).with_name("reelflow")
DEADLINE_S: Final = 60.0


class WebProcess:
    """One running ``reelflow serve``.

    :param home: its data folder, with the ledger in it
    :param simulator: whose app's key and secret it knows; None: it knows none
    :param port: 0 for a free one
    :param settings: more of its environment
    """

    def __init__(
        self,
        home: Path,
        simulator: Simulator | None = None,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [SCRIPT, "serve", "--port", str(port)],
            env=environment(home, simulator) | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self.port = self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        self.address = f"http://127.0.0.1:{self.port}"
        self.api = self.address + API_PATH
        self.webhook_url = f"{self.api}/webhooks/tiktok"

    def _wait_until_ready(self) -> int:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            ready = selector.select(DEADLINE_S) and self.process.stdout.readline()
        match = re.fullmatch(
            rf"Reelflow serves http://127\.0\.0\.1:([0-9]+){API_PATH}; stop it with Ctrl\+C\.\n",
            ready or "",
        )
        if match is None:
            raise AssertionError(f"reelflow serve printed {ready!r}: {self.log()}")
        return int(match[1])

    def log(self) -> str:
        """Return what it wrote on stderr."""
        self._log.seek(0)
        return self._log.read().decode()

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return its exit code, once it has one."""
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        """End it; again is harmless."""
        assert self.process.stdout is not None
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()


def environment(home: Path, simulator: Simulator | None) -> dict[str, str]:
    """Return the whole environment of a ``reelflow`` process."""
    known = {
        "PATH": os.environ.get("PATH", os.defpath),
        "REELFLOW_HOME": str(home),
        "REELFLOW_FERNET_KEY": factories.FERNET_KEY,
    }
    if "PYTHONPATH" in os.environ:  # the code that is tested, where it is not what is installed
        known["PYTHONPATH"] = os.environ["PYTHONPATH"]
    if simulator is not None:
        connection = {"conn_type": "tiktok", "host": simulator.api}
        connection |= {"login": simulator.client_key, "password": simulator.client_secret}
        known["AIRFLOW_CONN_TIKTOK_APP"] = json.dumps(connection)
    return known


@contextmanager
def serving(
    workspace: Workspace, simulator: Simulator | None = None, *, port: int = 0
) -> Iterator[WebProcess]:
    """Serve a workspace until the block ends."""
    web = WebProcess(data_folder(workspace).root, simulator, port=port)
    try:
        yield web
    finally:
        web.kill()
