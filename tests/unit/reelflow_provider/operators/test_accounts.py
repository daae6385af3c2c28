"""The operator that keeps access alive, as a worker runs it, before a real simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.exceptions import ConfigurationError, TerminalError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.accounts import RefreshTokensOperator
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.token_server import CLIENT_KEY, CLIENT_SECRET, token_server
from tests.unit.reelflow_provider.airflow_task import Ended, run_task
from tests.unit.reelflow_provider.conftest import Connect

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def refresh() -> Ended:
    return run_task(RefreshTokensOperator, ahead=7 * HOUR, warn_ahead=14 * DAY)


def connected(worker: Workspace, name: str, refresh_token: str, *, renewable_for: timedelta) -> int:
    account = factories.make_account(worker, name)
    now = worker.ledger.now()
    tokens = accounts.TokenSet("act.0", now + HOUR, refresh_token, now + renewable_for)
    with worker.ledger.write() as session:
        stored = accounts.get(session, account.id, lock=True)
        accounts.store_tokens(stored, worker.ledger.cipher, tokens, now=now)
    return account.id


def test_the_refused_account_is_named_and_the_other_renewed_all_the_same(
    worker: Workspace, connect: Connect
) -> None:
    with token_server() as server:
        connect(server.url, login=CLIENT_KEY, password=CLIENT_SECRET)
        refused = connected(worker, "bella", "rft.spent", renewable_for=365 * DAY)
        good = connected(worker, "acme", "rft.0", renewable_for=365 * DAY)
        red = refresh()
        with worker.ledger.read() as session:
            assert accounts.get(session, refused).revoked
            renewed = accounts.get(session, good)
        assert accounts.access_token(renewed, worker.ledger.cipher) == "act.1"
        assert server.refreshes == 1
    assert red.state == "failed"  # trying again says the same
    assert isinstance(red.error, TerminalError)
    message = str(red.error)
    assert message.startswith("accounts that need a person: 1\n")
    assert "the access to account bella ended" in message
    assert "To fix: `reelflow accounts connect bella`" in message
    assert "acme" not in message


def test_what_is_told_of_a_renewal_is_ids_and_no_token(worker: Workspace, connect: Connect) -> None:
    with token_server() as server:
        connect(server.url, login=CLIENT_KEY, password=CLIENT_SECRET)
        renewed = connected(worker, "acme", "rft.0", renewable_for=365 * DAY)
        ended = refresh()
        assert ended.result == {"renewed": [renewed], "not_renewed": []}
        assert refresh().result == {"renewed": [], "not_renewed": []}
    shown = f"{ended.xcoms}{ended.log}{ended.told}"
    assert "act." not in shown
    assert "rft." not in shown


def test_tiktok_out_of_reach_is_no_failure(
    worker: Workspace, connect: Connect, closed_url: str
) -> None:
    connect(closed_url, login=CLIENT_KEY, password=CLIENT_SECRET)
    account_id = connected(worker, "acme", "rft.0", renewable_for=365 * DAY)
    assert refresh().result == {"renewed": [], "not_renewed": [account_id]}


def test_an_account_added_by_hand_is_no_reason_to_fail(tiktok: Simulator, creator: Account) -> None:
    assert refresh().result == {"renewed": [], "not_renewed": []}


@pytest.mark.parametrize(("password", "said"), [(None, "client key or secret"), ("", "secret")])
def test_without_the_secret_of_the_app_it_fails_with_the_reason(
    worker: Workspace, connect: Connect, closed_url: str, password: str | None, said: str
) -> None:
    connect(closed_url, password=password)
    ended = refresh()
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)
    assert said in str(ended.error)
