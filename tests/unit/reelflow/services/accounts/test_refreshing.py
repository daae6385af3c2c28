"""One refresher at a time over real processes, and what becomes of one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import AccountRevokedError
from reelflow.ledger import accounts, audit
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.accounts.refreshing import TokenRefresher
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.database_faults import impatient
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES
from tests.token_server import TokenServer, token_server

REPOSITORY = Path(__file__).parents[5]
WORKER = "tests.unit.reelflow.services.accounts.token_worker"
DEADLINE_S = 60


@pytest.fixture
def clock() -> Clock:
    """The machine's time: the ledger is shared with processes that have no other."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


@pytest.fixture
def expired(workspace: Workspace, clock: Clock) -> Account:
    """An account that the server knows, whose access token has expired."""
    return store_access(
        workspace,
        open_id="open-acme",
        name="acme",
        tokens=accounts.TokenSet("act.0", clock() - timedelta(hours=1), "rft.0"),
        actor="tests",
    ).account


class Workers:
    """Starts processes that need the account's token, and ends them."""

    def __init__(self, workspace: Workspace, server: TokenServer, account: Account) -> None:
        self._task = {
            "database_url": workspace.ledger.engine.url.render_as_string(hide_password=False),
            "root": str(data_folder(workspace).root),
            "host": server.url,
            "account_id": account.id,
            "claim_s": 120,
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        """Start one, and return it when it is about to ask."""
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER, json.dumps(self._task)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'include'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    @staticmethod
    def let_ask(process: subprocess.Popen[str]) -> None:
        """Let a process ask, and return when it has read the old token."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "looked\n"

    @staticmethod
    def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
        stdout, _ = process.communicate(timeout=DEADLINE_S)
        return dict(json.loads(stdout))

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def workers(workspace: Workspace, server: TokenServer, expired: Account) -> Iterator[Workers]:
    workers = Workers(workspace, server, expired)
    try:
        yield workers
    finally:
        workers.stop()


@ON_BOTH_DATABASES
def test_of_many_processes_that_need_a_new_token_one_refreshes_and_all_get_it(
    workers: Workers, server: TokenServer
) -> None:
    server.may_answer.clear()
    processes = [workers.start() for _ in range(4)]
    for process in processes:
        workers.let_ask(process)
    assert server.has_rotated.wait(DEADLINE_S)
    server.may_answer.set()
    assert [workers.outcome(process) for process in processes] == [{"token": "act.1"}] * 4
    assert server.refreshes == 1


@ON_BOTH_DATABASES
def test_a_refresher_killed_before_its_commit_holds_the_posts_until_the_account_is_connected(
    workers: Workers,
    server: TokenServer,
    workspace: Workspace,
    clock: Clock,
    expired: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(expired)
    server.may_answer.clear()
    process = workers.start()
    workers.let_ask(process)
    assert server.has_rotated.wait(DEADLINE_S)
    process.send_signal(signal.SIGKILL)
    assert process.wait(DEADLINE_S) == -signal.SIGKILL
    server.may_answer.set()

    clock.set(datetime.now(UTC) + timedelta(seconds=120))
    with server.client() as oauth, pytest.raises(AccountRevokedError):
        AccessTokens(workspace, oauth, actor="tests").get(expired.id)
    held = read_post(post.id)
    assert (held.state, held.reason_code) == (PostState.HELD, "account_revoked")
    assert "may have spent the refresh token" in held.reason
    assert held.fix is not None
    assert "`reelflow accounts connect acme`" in held.fix

    again = store_access(
        workspace,
        open_id="open-acme",
        name="acme",
        tokens=accounts.TokenSet("act.new"),
        actor="tests",
    )
    assert again.released == [post.id]
    assert read_post(post.id).state is PostState.READY
    with workspace.ledger.read() as session:
        steps = [row.to_state for row in audit.story(session, post.id)]
    assert steps == ["READY", "HELD", "READY"]


def test_tokens_that_the_ledger_cannot_take_at_once_are_not_lost(
    server: TokenServer, workspace: Workspace, expired: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as oauth, ExitStack() as other_writer:
        refresher = TokenRefresher(
            impatient(workspace), oauth, actor="tests", sleep=lambda _: other_writer.close()
        )
        claim = refresher.claim(expired)
        assert claim is not None
        other_writer.enter_context(workspace.ledger.write())
        assert refresher.refresh(claim) == "act.1"
    assert caplog.text.count("new tokens of acme cannot be stored yet: ") == 1
    assert server.refreshes == 1


def test_who_is_refused_after_somebody_stored_other_tokens_uses_those(
    server: TokenServer, workspace: Workspace, expired: Account
) -> None:
    server.refresh_token = "rft.spent by another"
    with server.client() as oauth:
        refresher = TokenRefresher(workspace, oauth, actor="tests")
        claim = refresher.claim(expired)
        assert claim is not None
        store_access(
            workspace,
            open_id="open-acme",
            name="acme",
            tokens=accounts.TokenSet("act.connected again"),
            actor="tests",
        )
        assert refresher.refresh(claim) == "act.connected again"


def test_a_claim_and_a_grant_never_show_their_secrets(
    server: TokenServer, workspace: Workspace, expired: Account
) -> None:
    with server.client() as oauth:
        claim = TokenRefresher(workspace, oauth, actor="tests").claim(expired)
    assert "rft.0" not in repr(claim)
    assert "act.0" not in repr(accounts.TokenSet("act.0", refresh_token="rft.0"))
