"""The connection ``tiktok_app`` where no Airflow is: read from AIRFLOW_CONN_TIKTOK_APP.

Clients are made from it here as ``reelflow_provider.hooks.tiktok`` makes them from Airflow's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from reelflow.exceptions import ConfigurationError

if TYPE_CHECKING:
    from reelflow.services.calls.account_client import AccountClients
    from reelflow.services.workspace import Workspace
    from reelflow.settings import Settings
    from reelflow.tiktok.client import TikTokClient
    from reelflow.tiktok.oauth import OAuthClient

VARIABLE: Final = "AIRFLOW_CONN_TIKTOK_APP"
CONN_TYPE: Final = "tiktok"
_EXAMPLE: Final = (
    '{"conn_type": "tiktok", "host": "open.tiktokapis.com", "login": "<client key>", '
    '"password": "<client secret>"}'
)


@dataclass(frozen=True)
class TikTokApp:
    """What the connection says of where TikTok is, and which app asks.

    :param host: TikTok's or the simulator's, as the connection has it
    :param port: stands in the connection, but only a port inside of the host is used
    :param client_key: the app's public key, its login; may be empty
    :param client_secret: the app's secret, its password; never shown; may be empty
    """

    host: str
    port: int | None
    client_key: str = ""
    client_secret: str = field(default="", repr=False)

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
            has_secret = self.client_key and self.client_secret
            oauth = closing.enter_context(self.open_oauth(settings)) if has_secret else None
            yield AccountClients(workspace, client, AccessTokens(workspace, oauth, actor=actor))

    def open_oauth(self, settings: Settings) -> OAuthClient:
        """Return a client of the app's own calls; close it when done.

        :raises ConfigurationError: the host cannot be used, or key or secret are missing
        """
        from reelflow.tiktok.oauth import OAuthClient

        if not (self.client_key and self.client_secret):
            raise ConfigurationError(
                f"{VARIABLE} lacks the app's client key or secret: set them as login and password",
                code="tiktok_app",
            )
        return OAuthClient(
            self._checked_host(),
            self.client_key,
            self.client_secret,
            limits=settings.tiktok_limits,
        )

    def _checked_host(self) -> str:
        if self.port is not None:
            raise ConfigurationError(
                f"{VARIABLE} has the port {self.port} beside its host: write it into the host, "
                f"{self.host}:{self.port}",
                code="connection_port",
            )
        return self.host


def require_tiktok_app(environment: Mapping[str, str]) -> TikTokApp:
    """Return the connection, or raise.

    :raises ConfigurationError: the variable is not set; see also :func:`read_tiktok_app`
    """
    app = read_tiktok_app(environment)
    if app is None:
        raise ConfigurationError(
            f"{VARIABLE} is not set, so the app's client key and secret are not known here: set it "
            f"to what Airflow's connection tiktok_app has, such as {_EXAMPLE}",
            code="connection_missing",
        )
    return app


def read_tiktok_app(environment: Mapping[str, str]) -> TikTokApp | None:
    """Return the connection from its JSON or URI form; None when the variable is not set.

    The forms are Airflow's (howto/connection, "Storing connections in environment variables",
    Airflow 3.3.2), read as its ``Connection.from_json`` and ``from_uri`` do.

    :raises ConfigurationError: it cannot be read, is of another type, or has no host; the message
        never quotes it, because it holds the client secret
    """
    stored = environment.get(VARIABLE, "").strip()
    if not stored:
        return None
    try:
        conn_type, app = _from_json(stored) if stored[0] == "{" else _from_uri(stored)
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{VARIABLE} cannot be read: write it as JSON, such as {_EXAMPLE}",
            code="connection_malformed",
        ) from None
    if conn_type != CONN_TYPE:
        raise ConfigurationError(
            f"{VARIABLE} is a connection of type {conn_type!r}, not 'tiktok': set its conn_type "
            "to tiktok",
            code="connection_type",
        )
    if not app.host:
        raise ConfigurationError(
            f"{VARIABLE} has no host: set open.tiktokapis.com", code="connection_host"
        )
    return app


def _from_json(stored: str) -> tuple[str, TikTokApp]:
    fields: dict[str, Any] = json.loads(stored)
    port = fields.get("port")
    app = TikTokApp(
        host=str(fields.get("host") or ""),
        port=int(port) if port else None,
        client_key=str(fields.get("login") or ""),
        client_secret=str(fields.get("password") or ""),
    )
    return str(fields.get("conn_type")), app


def _from_uri(stored: str) -> tuple[str, TikTokApp]:
    """Read ``tiktok://key:secret@host``; the host may be quoted, or led by ``https://``."""
    conn_type, _, rest = stored.partition("://")
    scheme, found, _ = rest.partition("://")
    parts = urlsplit(rest if found else f"//{rest}")
    host = unquote(parts.hostname or "")
    if found and host:
        host = f"{scheme}://{host}"
    app = TikTokApp(
        host=host,
        port=parts.port,
        client_key=unquote(parts.username or ""),
        client_secret=unquote(parts.password or ""),
    )
    return conn_type, app
