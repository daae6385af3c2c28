"""The connection ``tiktok_app`` where a command cannot do without it."""

from __future__ import annotations

from collections.abc import Mapping

from reelflow.exceptions import ConfigurationError
from reelflow.tiktok_app import TikTokApp
from reelflow.tiktok_app_variable import EXAMPLE, VARIABLE, read_tiktok_app


def require_tiktok_app(environment: Mapping[str, str]) -> TikTokApp:
    """Return the connection, or raise.

    :raises ConfigurationError: the variable is not set, or cannot be read
    """
    app = read_tiktok_app(environment)
    if app is None:
        raise ConfigurationError(
            f"{VARIABLE} is not set, so the app's client key and secret are not known here: set it "
            f"to what Airflow's connection tiktok_app has, such as {EXAMPLE}",
            code="connection_missing",
        )
    return app
