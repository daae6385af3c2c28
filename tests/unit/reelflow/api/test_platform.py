from reelflow.api.platform import platform_of
from reelflow.settings import Settings
from reelflow.tiktok_app import TikTokApp


def test_a_connection_verifies_webhooks_and_makes_clients() -> None:
    platform = platform_of(TikTokApp("http://127.0.0.1:9", "key", "secret"), Settings())
    assert (platform.client_key, platform.client_secret) == ("key", "secret")
    with platform.open_oauth(), platform.open_client():
        pass
    assert "secret" not in repr(platform).replace("client_secret", "")
