"""``reelflow accounts`` as processes before the simulator: connect, refresh, kill, reconnect."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from reelflow.domain.post import PostState
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.consent import TIMEOUT_S, decide
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.integration.simulator_process import Simulator, wait_until

SCRIPT = Path(sys.executable).with_name("reelflow")
DEADLINE_S = 60
AURORA = "aurora.kitchen"


@pytest.fixture
def clock() -> Clock:
    """The machine's time: the commands have no other."""
    return Clock(datetime.now(UTC))


class Reelflow:
    """Starts ``reelflow accounts`` on the ledger of a workspace, and ends what is left."""

    def __init__(self, workspace: Workspace, simulator: Simulator) -> None:
        connection = {"conn_type": "tiktok", "host": simulator.api}
        connection |= {"login": simulator.client_key, "password": simulator.client_secret}
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "REELFLOW_HOME": str(data_folder(workspace).root),
            "REELFLOW_FERNET_KEY": factories.FERNET_KEY,
            "AIRFLOW_CONN_TIKTOK_APP": json.dumps(connection),
            "PYTHONUNBUFFERED": "1",
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [SCRIPT, "accounts", *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *words: str) -> tuple[int, str]:
        """Return the exit code and all that was printed."""
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
        return process.returncode, stdout + stderr

    def connect(self, name: str, creator: str) -> tuple[int, str, requests.Response]:
        """Connect an account, with a creator who consents; return also the browser's last page."""
        process = self.start("connect", name, "--no-browser")
        assert process.stdout is not None
        url = next(line.strip() for line in process.stdout if line.startswith("http"))
        page = requests.get(decide(url, creator), timeout=TIMEOUT_S)
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
        return process.returncode, stdout + stderr, page

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def reelflow(workspace: Workspace, simulator: Simulator) -> Iterator[Reelflow]:
    reelflow = Reelflow(workspace, simulator)
    try:
        yield reelflow
    finally:
        reelflow.stop()


def stored(workspace: Workspace) -> Account:
    with workspace.ledger.read() as session:
        return accounts.by_name(session, "acme")


def tokens_at(simulator: Simulator) -> object:
    return requests.get(f"{simulator.api}/_sim/accounts", timeout=TIMEOUT_S).json()


def test_from_consent_over_a_killed_refresh_to_consent_again(
    reelflow: Reelflow,
    workspace: Workspace,
    simulator: Simulator,
    clock: Clock,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    code, said, page = reelflow.connect("acme", AURORA)
    assert (code, page.status_code) == (0, 200), said
    assert f"Account acme (@{AURORA}) is connected." in said
    post = make_post(stored(workspace))

    code, said = reelflow.run("refresh", "acme")
    assert (code, "Account acme has new tokens." in said) == (0, True), said

    # TikTok rotates; the process dies before it hears of it.
    known = tokens_at(simulator)
    simulator.fault("token", "slow", when="after", delay_s=20)
    process = reelflow.start("refresh", "acme")
    wait_until(lambda: tokens_at(simulator) != known, "TikTok has rotated the tokens")
    process.send_signal(signal.SIGKILL)
    assert process.wait(DEADLINE_S) == -signal.SIGKILL
    with workspace.ledger.write() as session:  # as if its claim's time had passed
        accounts.by_name(session, "acme").refreshing_until = clock()

    code, said = reelflow.run("refresh", "acme")
    assert code == 2
    assert "an earlier refresh ended without its answer in the ledger" in said
    held = read_post(post.id)
    assert (held.state, held.reason_code) == (PostState.HELD, "account_revoked")

    code, said, _ = reelflow.connect("acme", AURORA)
    assert (code, f"Posts that had waited for it go on: {post.id}" in said) == (0, True), said
    assert read_post(post.id).state is PostState.READY


def test_no_command_prints_a_secret(
    reelflow: Reelflow, workspace: Workspace, simulator: Simulator
) -> None:
    printed, secrets = [], {simulator.client_secret}

    def remember() -> None:
        account, cipher = stored(workspace), workspace.ledger.cipher
        refresh = accounts.refresh_token(account, cipher)
        secrets.update({accounts.access_token(account, cipher), refresh or ""})

    _, said, page = reelflow.connect("acme", AURORA)
    printed += [said, page.text]
    remember()
    for words in (("refresh", "acme"), ("list",), ("list", "--json"), ("revoke", "acme", "--yes")):
        code, said = reelflow.run(*words)
        assert code == 0, said
        printed.append(said)
        remember()
    assert len(secrets) == 5
    assert not [secret for secret in secrets for text in printed if secret in text]
    assert not re.search(r"\b(act|rft)\.", "".join(printed))
