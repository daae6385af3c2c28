"""The hook of the connection type ``tiktok``: the app's host, client key and secret."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from reelflow.exceptions import ConfigurationError, ReelflowError, TikTokAuthError
from reelflow.tiktok_app import TikTokApp

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from reelflow.services.calls.account_client import AccountClients
    from reelflow.services.workspace import Workspace
    from reelflow.settings import Settings
    from reelflow.tiktok.client import TikTokClient

#: A token that no account has: TikTok's refusal of it shows that it is TikTok that answers.
_NO_TOKEN = "act.connection-test"  # noqa: S105
_CHECK_HOST = "It is not TikTok's API: set the connection's host to open.tiktokapis.com."


class TikTokHook(BaseHook):
    """Make TikTok clients from a connection.

    The connection holds the app's host, client key (login) and client secret (password). Its host
    decides between TikTok (``open.tiktokapis.com``) and the simulator. Accounts and their tokens
    are not in connections: they live in the ledger.

    :param tiktok_conn_id: the connection
    """

    conn_name_attr = "tiktok_conn_id"
    default_conn_name = "tiktok_app"
    conn_type = "tiktok"
    hook_name = "TikTok app"

    def __init__(self, tiktok_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tiktok_conn_id = tiktok_conn_id

    def get_conn(self, settings: Settings | None = None) -> TikTokClient:
        """Return a blocking client; close it when done.

        :param settings: limits and the simulator's upload hosts; read from the environment if None
        :raises ConfigurationError: the connection is missing, of another type, or has no host
        """
        from reelflow.settings import Settings

        return self.get_app().open_client(settings or Settings.load())

    def account_clients(
        self, workspace: Workspace, settings: Settings, *, actor: str
    ) -> AbstractContextManager[AccountClients]:
        """Give TikTok as each account sees it, for as long as the block lasts.

        :param actor: who calls, for the audit trail
        :raises ConfigurationError: as :meth:`get_conn`
        """
        return self.get_app().account_clients(workspace, settings, actor=actor)

    def get_app(self) -> TikTokApp:
        """Return what the connection says.

        :raises ConfigurationError: as :meth:`get_conn`
        """
        try:
            return self._app(self.get_connection(self.tiktok_conn_id))
        except AirflowNotFoundException as exc:
            raise self._missing() from exc

    async def aget_app(self) -> TikTokApp:
        """Return what the connection says, for triggers, which make their clients once.

        :raises ConfigurationError: as :meth:`get_conn`
        """
        try:
            return self._app(await self.aget_connection(self.tiktok_conn_id))
        except AirflowNotFoundException as exc:
            raise self._missing() from exc

    def test_connection(self) -> tuple[bool, str]:
        """Ask the host for a status without a valid token: TikTok refuses it in its own words."""
        try:
            with self.get_conn() as client:
                client.fetch_status(_NO_TOKEN, "v_pub_file~v2-1.0")
        except TikTokAuthError as exc:
            # Whoever wants a password says 401; only TikTok numbers its refusals.
            if exc.log_id is not None:
                return True, "TikTok's API answers. The tokens of accounts are in the ledger."
            return False, f"The host refuses the call, but not in TikTok's words. {_CHECK_HOST}"
        except ReelflowError as exc:
            return False, str(exc)
        return False, f"The host accepts any token. {_CHECK_HOST}"

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"the connection {self.tiktok_conn_id!r} does not exist: add one of type 'tiktok' "
            "with the app's host, client key and secret, in the UI or as "
            f"AIRFLOW_CONN_{self.tiktok_conn_id.upper()}",
            code="connection_missing",
        )

    def _app(self, connection: Connection) -> TikTokApp:
        if connection.conn_type != self.conn_type:
            raise ConfigurationError(
                f"the connection {self.tiktok_conn_id!r} has the type {connection.conn_type!r}, "
                "not 'tiktok': choose the type 'TikTok app' for it",
                code="connection_type",
            )
        if not connection.host:
            raise ConfigurationError(
                f"the connection {self.tiktok_conn_id!r} has no host: set open.tiktokapis.com",
                code="connection_host",
            )
        if connection.port:
            raise ConfigurationError(
                f"the connection {self.tiktok_conn_id!r} has the port {connection.port} beside its "
                f"host: write it into the host, {connection.host}:{connection.port}",
                code="connection_port",
            )
        return TikTokApp(connection.host, connection.login or "", connection.password or "")
