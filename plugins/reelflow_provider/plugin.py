"""The Airflow plugin (entry point ``airflow.plugins``); loaded in every task, so kept light."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from reelflow_provider import preload, run_notes
from reelflow_provider.links import POST_LINKS

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class ReelflowPlugin(AirflowPlugin):
    """What Reelflow adds to Airflow's own pages."""

    name = "reelflow"
    operator_extra_links = list(POST_LINKS)  # noqa: RUF012 - declared so by AirflowPlugin
    listeners = [preload, run_notes]  # noqa: RUF012 - declared so by AirflowPlugin
    # In the menu "Docs". Without a slash at its front it is below Airflow's own address, whatever
    # path that has.
    external_views = [  # noqa: RUF012 - declared so by AirflowPlugin
        {
            "name": "Reelflow API",
            "href": "reelflow/api/v1/docs",
            "destination": "nav",
            "category": "docs",
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # only read
        """The web application below ``/reelflow``; asked for by Airflow's API server alone."""
        from reelflow_provider.web.mounted import MountedApp

        app = MountedApp(_build_app)
        return [{"name": "Reelflow", "url_prefix": "/reelflow", "app": app}]


def _build_app() -> ASGIApp:
    from reelflow_provider.web.application import build_app

    return build_app()
