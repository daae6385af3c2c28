"""The connection ``tiktok_app`` where no Airflow is: read from AIRFLOW_CONN_TIKTOK_APP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from reelflow.exceptions import ConfigurationError

VARIABLE: Final = "AIRFLOW_CONN_TIKTOK_APP"
CONN_TYPE: Final = "tiktok"


@dataclass(frozen=True)
class TikTokApp:
    """What the connection says of where TikTok is.

    :param host: TikTok's or the simulator's, as the connection has it
    :param port: stands in the connection, but only a port inside of the host is used
    """

    host: str
    port: int | None


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
        conn_type, host, port = _from_json(stored) if stored[0] == "{" else _from_uri(stored)
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{VARIABLE} cannot be read: write it as JSON, such as "
            '{"conn_type": "tiktok", "host": "open.tiktokapis.com", "login": "<client key>", '
            '"password": "<client secret>"}',
            code="connection_malformed",
        ) from None
    if conn_type != CONN_TYPE:
        raise ConfigurationError(
            f"{VARIABLE} is a connection of type {conn_type!r}, not 'tiktok': set its conn_type "
            "to tiktok",
            code="connection_type",
        )
    if not host:
        raise ConfigurationError(
            f"{VARIABLE} has no host: set open.tiktokapis.com", code="connection_host"
        )
    return TikTokApp(host, port)


def _from_json(stored: str) -> tuple[str, str, int | None]:
    fields: dict[str, Any] = json.loads(stored)
    host, port = fields.get("host"), fields.get("port")
    return str(fields.get("conn_type")), str(host or ""), int(port) if port else None


def _from_uri(stored: str) -> tuple[str, str, int | None]:
    """Read ``tiktok://key:secret@host``; the host may be quoted, or led by ``https://``."""
    conn_type, _, rest = stored.partition("://")
    scheme, found, _ = rest.partition("://")
    parts = urlsplit(rest if found else f"//{rest}")
    host = unquote(parts.hostname or "")
    if found and host:
        host = f"{scheme}://{host}"
    return conn_type, host, parts.port
