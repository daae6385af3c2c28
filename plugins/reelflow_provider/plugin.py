"""The Airflow plugin (entry point ``airflow.plugins``); loaded in every task, so kept light."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from reelflow_provider import preload
from reelflow_provider.links import TikTokPostLink


class ReelflowPlugin(AirflowPlugin):
    """What Reelflow adds to Airflow's own pages."""

    name = "reelflow"
    operator_extra_links = [TikTokPostLink()]  # noqa: RUF012 - declared so by AirflowPlugin
    listeners = [preload]  # noqa: RUF012 - declared so by AirflowPlugin
