"""The web application, put together."""

from __future__ import annotations

import os
from typing import Final

from fastapi import FastAPI

from reelflow.api.errors import add_error_handlers
from reelflow.api.headers import SafeHeaders
from reelflow.api.platform import Platform, platform_of
from reelflow.api.routes.health import health_routes
from reelflow.api.routes.oauth import oauth_routes
from reelflow.api.routes.public_media import public_media_routes
from reelflow.api.routes.webhooks import webhook_routes
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok_app_variable import read_tiktok_app

#: Where the application lies, below whatever address it is reached at.
API_PATH: Final = "/reelflow/api/v1"


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application of one process, with AIRFLOW_CONN_TIKTOK_APP as ``tiktok_app``.

    :param settings: those of the environment when left out
    :raises ConfigurationError: a setting, key, folder or the variable is missing or wrong
    :raises LedgerNotMigratedError: the ledger needs ``reelflow db upgrade``
    """
    settings = settings or Settings.load()
    connection = read_tiktok_app(os.environ)
    platform = platform_of(connection, settings) if connection is not None else None
    return assemble_app(settings.open_workspace(), platform)


def assemble_app(workspace: Workspace, platform: Platform | None) -> FastAPI:
    """Return the application on a workspace that is open already.

    :param platform: without it webhooks and the answers of consent pages are refused with 503
    """
    # Nothing redirects: TikTok takes a redirect for a failure. No route describes the others.
    app = FastAPI(
        title="Reelflow", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    add_error_handlers(app)
    app.add_middleware(SafeHeaders)
    app.include_router(health_routes(workspace), prefix=API_PATH)
    app.include_router(public_media_routes(workspace), prefix=PUBLIC_MEDIA_PATH)
    app.include_router(oauth_routes(workspace, platform), prefix=f"{API_PATH}/oauth")
    app.include_router(webhook_routes(workspace, platform), prefix=f"{API_PATH}/webhooks")
    return app
