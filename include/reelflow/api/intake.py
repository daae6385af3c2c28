"""What the routes of the intake share; made once for an application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from fastapi import Request

from reelflow.analysis.base import Engine
from reelflow.api.auth import Guard
from reelflow.api.file_bodies import FileBodies
from reelflow.api.platform import Platform
from reelflow.domain.analysis import AnalysisEngine
from reelflow.services.workspace import Workspace

#: Where the application lies, below whatever address it is reached at.
API_PATH: Final = "/reelflow/api/v1"

#: Gives the engines of content analysis for as long as a block lasts.
OpenEngines: TypeAlias = Callable[[], AbstractContextManager[Mapping[AnalysisEngine, Engine]]]
#: Returns where a run of Airflow's can be looked at; None where nobody knows.
RunLinks: TypeAlias = Callable[[str], str | None]


@dataclass(frozen=True)
class Intake:
    """What the routes of the intake work with.

    :param guard: who may ask
    :param file_bodies: how many files are taken in at once
    :param platform: what is known of the TikTok app; None where nothing is
    :param engines: the engines of content analysis
    :param run_links: addresses of Airflow's runs
    :param prefix: path of the application's routes inside of what it is mounted in
    """

    workspace: Workspace
    guard: Guard
    file_bodies: FileBodies
    platform: Platform | None
    engines: OpenEngines
    run_links: RunLinks
    prefix: str = API_PATH

    def link(self, request: Request, path: str) -> str:
        """Return a path of the API as whoever asked can ask for it.

        :param path: below the API's own, such as ``/media/abc``
        """
        return f"{request.scope.get('root_path', '')}{self.prefix}{path}"
