"""What the web application must know of the TikTok app; its entry point brings it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.account_client import AccountClients
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.oauth import OAuthClient
from reelflow.tiktok_app import TikTokApp


@dataclass(frozen=True)
class Platform:
    """The connection ``tiktok_app``, wherever it is stored.

    :param client_key: the app's public key
    :param client_secret: the app's secret, by which webhooks are signed; never shown
    :param open_oauth: makes a client of the app's own calls; used in one thread and closed
    :param open_client: makes a client of the API; likewise
    """

    client_key: str
    client_secret: str = field(repr=False)
    open_oauth: Callable[[], OAuthClient]
    open_client: Callable[[], TikTokClient]

    @contextmanager
    def account_clients(self, workspace: Workspace, *, actor: str) -> Iterator[AccountClients]:
        """Give TikTok as each account sees it, for as long as the block lasts; for one thread.

        :param actor: who calls, for the audit trail
        """
        with ExitStack() as closing:
            client = closing.enter_context(self.open_client())
            renews = bool(self.client_key and self.client_secret)
            oauth = closing.enter_context(self.open_oauth()) if renews else None
            yield AccountClients(workspace, client, AccessTokens(workspace, oauth, actor=actor))


def platform_of(app: TikTokApp, settings: Settings) -> Platform:
    """Return what the web application must know of a connection."""
    return Platform(
        client_key=app.client_key,
        client_secret=app.client_secret,
        open_oauth=partial(app.open_oauth, settings),
        open_client=partial(app.open_client, settings),
    )
