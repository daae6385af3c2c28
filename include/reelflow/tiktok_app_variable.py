"""The connection ``tiktok_app`` where no Airflow is: read from AIRFLOW_CONN_TIKTOK_APP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from reelflow.exceptions import ConfigurationError
from reelflow.tiktok_app import TikTokApp

VARIABLE: Final = "AIRFLOW_CONN_TIKTOK_APP"
CONN_TYPE: Final = "tiktok"
#: The variable's JSON form, as people are told to write it.
EXAMPLE: Final = (
    '{"conn_type": "tiktok", "host": "open.tiktokapis.com", "login": "<client key>", '
    '"password": "<client secret>"}'
)


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
            f"{VARIABLE} cannot be read: write it as JSON, such as {EXAMPLE}",
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
