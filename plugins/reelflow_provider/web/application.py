"""The web application with what Airflow has: its users, connections and addresses of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    from reelflow.services.calls.account_client import AccountClients
    from reelflow.services.workspace import Workspace

MOUNTED_AT: Final = "/reelflow"
#: Airflow's API server must still serve the tasks; many files go through ``reelflow serve``.
_FILE_BODIES_MAX: Final = 2


def build_app() -> ASGIApp:
    """Put the application together for this process, which answers requests and forks no more.

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


@dataclass(frozen=True)
class AirflowPlatform(Platform):
    """The connection ``tiktok_app`` as Airflow has it whenever it is needed.

    Key and secret are not kept: the routes that want them are those of ``reelflow serve`` alone.
    """

    settings: Settings = field(kw_only=True)

    @contextmanager
    def account_clients(self, workspace: Workspace, *, actor: str) -> Iterator[AccountClients]:
        """Give TikTok as each account sees it, with tokens that are renewed."""
        with TikTokHook().account_clients(workspace, self.settings, actor=actor) as clients:
            yield clients


def _platform(settings: Settings) -> Platform:
    hook = TikTokHook()
    return AirflowPlatform(
        client_key="",
        client_secret="",
        open_oauth=lambda: hook.get_app().open_oauth(settings),
        open_client=lambda: hook.get_conn(settings),
        settings=settings,
    )


@contextmanager
def _engines() -> Iterator[Mapping[AnalysisEngine, Engine]]:
    """Give the engines that the connections of this moment name."""
    with open_engines(detection_connection()) as engines:
        yield engines
