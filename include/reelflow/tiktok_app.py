"""The connection ``tiktok_app``, wherever it is stored, and the clients that are made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reelflow.exceptions import ConfigurationError

if TYPE_CHECKING:
    from reelflow.services.calls.account_client import AccountClients
    from reelflow.services.workspace import Workspace
    from reelflow.settings import Settings
    from reelflow.tiktok.client import TikTokClient
    from reelflow.tiktok.oauth import OAuthClient

#: At the end of a host; what stands in brackets is an address.
_PORT: Final = re.compile(r":[0-9]+/?\Z")


@dataclass(frozen=True)
class TikTokApp:
    """What the connection says of where TikTok is, and which app asks.

    :param host: TikTok's or the simulator's, as the connection has it
    :param client_key: the app's public key; empty where tokens are used as they are
    :param client_secret: the app's secret, never shown; empty likewise
    :param port: stands in the connection, but only a port inside of the host is used
    """

    host: str
    client_key: str = ""
    client_secret: str = field(default="", repr=False)
    port: int | None = None

    @property
    def has_secret(self) -> bool:
        """Whether key and secret are known, without which nothing renews tokens."""
        return bool(self.client_key and self.client_secret)

    def open_client(self, settings: Settings) -> TikTokClient:
        """Return a client of the API; close it when done.

        :raises ConfigurationError: the host cannot be used
        """
        from reelflow.tiktok.client import TikTokClient

        return TikTokClient(
            host=self._checked_host(),
            limits=settings.tiktok_limits,
            extra_upload_hosts=settings.simulator_upload_hosts,
        )

    def open_oauth(self, settings: Settings) -> OAuthClient:
        """Return a client of the app's own calls; close it when done.

        :raises ConfigurationError: the host cannot be used, or key or secret are missing
        """
        from reelflow.tiktok.oauth import OAuthClient

        if not self.has_secret:
            raise ConfigurationError(
                "the connection tiktok_app lacks the app's client key or secret: set them as its "
                "login and password",
                code="tiktok_app",
            )
        host = self._checked_host()
        limits = settings.tiktok_limits
        return OAuthClient(host, self.client_key, self.client_secret, limits=limits)

    @contextmanager
    def account_clients(
        self, workspace: Workspace, settings: Settings, *, actor: str
    ) -> Iterator[AccountClients]:
        """Give TikTok as each account sees it, for as long as the block lasts.

        :param actor: who calls, for the audit trail
        :raises ConfigurationError: the host cannot be used
        """
        from reelflow.services.accounts.tokens import AccessTokens
        from reelflow.services.calls.account_client import AccountClients

        with ExitStack() as closing:
            client = closing.enter_context(self.open_client(settings))
            oauth = closing.enter_context(self.open_oauth(settings)) if self.has_secret else None
            yield AccountClients(workspace, client, AccessTokens(workspace, oauth, actor=actor))

    def _checked_host(self) -> str:
        if self.port is None:
            return self.host
        beside = f"the connection tiktok_app has the port {self.port} beside its host"
        if _PORT.search(self.host):
            raise ConfigurationError(
                f"{beside} {self.host}, which names a port already: empty the port",
                code="connection_port",
            )
        raise ConfigurationError(
            f"{beside}: write it into the host, {self.host}:{self.port}", code="connection_port"
        )
