"""The web application with what Airflow has: its users, connections and addresses of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from airflow.configuration import conf

from reelflow.api.app import assemble_app
from reelflow.api.platform import Platform
from reelflow.services.intake.engines import open_engines
from reelflow.settings import Settings
from reelflow_provider.hooks.detection import detection_connection
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.storage import open_workspace
from reelflow_provider.web.login import PUBLISHING_DAG, AirflowAuthenticator

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from reelflow.analysis.base import Engine
    from reelflow.domain.analysis import AnalysisEngine

MOUNTED_AT: Final = "/reelflow"
#: Airflow's API server must still serve the tasks; many files go through ``reelflow serve``.
_FILE_BODIES_MAX: Final = 2


def build_app() -> ASGIApp:
    """Put the application together for this process.

    :raises ReelflowError: settings, key, folder or ledger are missing or wrong
    """
    settings = Settings.load()
    return assemble_app(
        open_workspace(settings),
        _platform(settings),
        AirflowAuthenticator(),
        mounted_at=MOUNTED_AT,
        max_file_bodies=_FILE_BODIES_MAX,
        engines=_engines,
        run_links=run_link,
    )


def run_link(run_id: str) -> str:
    """Return where Airflow's pages show a run of the publishing DAG."""
    base_url = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base_url}/dags/{PUBLISHING_DAG}/runs/{quote(run_id, safe='')}"


def _platform(settings: Settings) -> Platform:
    """Return the connection ``tiktok_app`` as Airflow has it whenever it is needed.

    Key and secret are for routes that only ``reelflow serve`` has.
    """
    hook = TikTokHook()
    return Platform(
        client_key="",
        client_secret="",
        open_oauth=lambda: hook.get_app().open_oauth(settings),
        open_client=lambda: hook.get_conn(settings),
    )


@contextmanager
def _engines() -> Iterator[Mapping[AnalysisEngine, Engine]]:
    """Give the engines that the connections of this moment name."""
    with open_engines(detection_connection()) as engines:
        yield engines
