import pytest

from reelflow.api.platform import platform_of
from reelflow.exceptions import AccountRevokedError, ReelflowError
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok_app import TikTokApp
from tests.factories import change_account


def test_a_connection_verifies_webhooks_and_makes_clients() -> None:
    platform = platform_of(TikTokApp("http://127.0.0.1:9", "key", "secret"), Settings())
    assert (platform.client_key, platform.client_secret) == ("key", "secret")
    with platform.open_oauth(), platform.open_client():
        pass
    assert "secret" not in repr(platform).replace("client_secret", "")


@pytest.mark.parametrize("secret", ["secret", ""])
def test_accounts_are_called_with_tokens_that_are_renewed_only_where_the_secret_is_known(
    workspace: Workspace, account: Account, secret: str
) -> None:
    platform = platform_of(TikTokApp("http://127.0.0.1:9", "key", secret), Settings())
    change_account(workspace, account.id, access_token_expires_at=workspace.ledger.now())
    with (
        platform.account_clients(workspace, actor="user:ann") as tiktok,
        pytest.raises(ReelflowError) as refused,
    ):
        tiktok.of(account.id).renew_token()
    assert isinstance(refused.value, AccountRevokedError)
