"""The connection of the external detection engine, as Airflow has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from reelflow.analysis.connection import DetectionConnection


def detection_connection() -> DetectionConnection | None:
    """Return where the detection engine is; None where nobody connected one.

    :raises ConfigurationError: the connection ``detection_default`` cannot be used
    """
    from reelflow.analysis.connection import CONN_ID, DetectionConnection

    try:
        connection = BaseHook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        return None
    names = ("conn_type", "schema", "host", "port", "login", "password", "extra")
    return DetectionConnection.from_fields({name: getattr(connection, name) for name in names})
