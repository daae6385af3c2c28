"""From the connection to clients: what it lacks is said before anything is sent."""

from __future__ import annotations

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok_app import TikTokApp
from tests.factories import ACTOR, change_account

HOST = "open.tiktokapis.com"


def test_the_secret_never_shows() -> None:
    assert "very-secret" not in repr(TikTokApp(HOST, "key", "very-secret"))


@pytest.mark.parametrize("app", [TikTokApp(HOST), TikTokApp(HOST, "key"), TikTokApp(HOST, "", "s")])
def test_without_key_or_secret_there_is_no_client_of_the_app(app: TikTokApp) -> None:
    with pytest.raises(ConfigurationError, match="lacks the app's client key or secret"):
        app.open_oauth(Settings())


def test_a_port_beside_the_host_is_no_silent_loss() -> None:
    app = TikTokApp("http://127.0.0.1", "key", "secret", port=8000)
    for open_it in (app.open_client, app.open_oauth):
        with pytest.raises(ConfigurationError, match=r"into the host, http://127\.0\.0\.1:8000"):
            open_it(Settings())


@pytest.mark.parametrize("host", ["127.0.0.1:4871", "http://127.0.0.1:4871", "http://[::1]:4871/"])
def test_a_host_that_has_a_port_gets_no_second_one(host: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        TikTokApp(host, port=99).open_client(Settings())
    assert str(refused.value) == (
        f"the connection tiktok_app has the port 99 beside its host {host}, which names a port "
        "already: empty the port"
    )


def test_without_key_or_secret_an_expired_token_says_what_is_missing(
    workspace: Workspace, account: Account
) -> None:
    refresh_token = workspace.ledger.cipher.encrypt("rft.1", bound_to="a test")
    change_account(
        workspace,
        account.id,
        access_token_expires_at=workspace.ledger.now(),
        refresh_token_encrypted=refresh_token,
    )
    with (
        TikTokApp("http://127.0.0.1:1").account_clients(
            workspace, Settings(), actor=ACTOR
        ) as tiktok,
        pytest.raises(ConfigurationError, match="the app's client key and secret are not known"),
    ):
        tiktok.fetch_status(account.id, "v_pub_file~v2-1.1")
