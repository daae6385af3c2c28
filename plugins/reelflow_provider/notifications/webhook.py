"""The notifier that POSTs an alert as JSON to the address of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseHook, BaseNotifier

from reelflow.http.webhook import Webhook

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

#: Where alerts go unless another notifier is set.
DEFAULT_CONNECTION: Final = "reelflow_alerts"


class WebhookNotifier(BaseNotifier):
    """Send a message as one POST of JSON, signed where the connection has a password.

    The connection's host is the whole address, ``https://hooks.example.com/reelflow``, or a host
    with its schema. Its password signs each message: see :func:`reelflow.http.webhook.signature`.

    :param conn_id: a connection of type ``http``
    :param message: what is sent; templates in it are rendered. Left out, it is the alert
    """

    template_fields: Sequence[str] = ("conn_id", "message")

    def __init__(
        self,
        *,
        conn_id: str = DEFAULT_CONNECTION,
        message: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(context)
        self.conn_id = conn_id
        self.message = message

    def notify(self, context: Context) -> None:
        """Send it.

        :raises AirflowNotFoundException: there is no such connection
        :raises ReelflowError: its address cannot be used, or did not take the message
        """
        connection = BaseHook.get_connection(self.conn_id)
        message = self.message or context["alert"].message  # type: ignore[typeddict-item]
        Webhook(address_of(connection), connection.password or "").send(message)


def address_of(connection: Connection) -> str:
    """Return the address that a connection means, however it was written down."""
    host, schema = connection.host or "", connection.schema or ""
    if "://" in host:
        return host
    # As an address in an environment variable, its path is what Airflow calls the schema.
    scheme, path = (schema, "") if schema in ("http", "https") else ("", schema)
    scheme = scheme or ("http" if connection.conn_type == "http" and path else "https")
    port = f":{connection.port}" if connection.port else ""
    return f"{scheme}://{host}{port}/{path.lstrip('/')}"
