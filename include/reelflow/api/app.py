"""The web application, put together."""

from __future__ import annotations

import os
from functools import partial
from typing import Final

from fastapi import APIRouter, FastAPI

from reelflow.analysis.connection import read_detection_connection
from reelflow.api.auth import Authenticator, Guard
from reelflow.api.dashboard_errors import add_envelope_handler
from reelflow.api.errors import add_error_handlers, errors
from reelflow.api.file_bodies import FileBodies
from reelflow.api.headers import SafeHeaders
from reelflow.api.intake import API_PATH, Intake, OpenEngines, RunLinks
from reelflow.api.key_authenticator import KeyAuthenticator
from reelflow.api.limits import RequestLimits
from reelflow.api.platform import Platform, platform_of
from reelflow.api.routes.accounts import account_routes
from reelflow.api.routes.approvals import approval_routes
from reelflow.api.routes.dashboard import DASHBOARD_PATH, dashboard_routes
from reelflow.api.routes.direct_uploads import direct_upload_routes
from reelflow.api.routes.docs import docs_routes
from reelflow.api.routes.health import health_routes
from reelflow.api.routes.images import image_routes
from reelflow.api.routes.media import media_routes
from reelflow.api.routes.oauth import oauth_routes
from reelflow.api.routes.post_page import post_page_routes
from reelflow.api.routes.post_steps import post_step_routes
from reelflow.api.routes.posts import post_routes
from reelflow.api.routes.public_media import public_media_routes
from reelflow.api.routes.simple import simple_routes
from reelflow.api.routes.uploads import upload_routes
from reelflow.api.routes.webhooks import webhook_routes
from reelflow.services.intake.engines import open_engines
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok_app_variable import read_tiktok_app

__all__ = ["API_PATH", "assemble_app", "create_app"]

_DESCRIPTION: Final = (
    "Takes in videos and photos, and the posts that they become. Errors have one shape: a stable "
    "`reason`, a `message` that says what to do, and `details` for programs."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application of one process, with connections as its environment has them.

    Its users are known by API keys.

    :param settings: those of the environment when left out
    :raises ConfigurationError: a setting, key, folder or the variable is missing or wrong
    :raises LedgerNotMigratedError: the ledger needs ``reelflow db upgrade``
    """
    settings = settings or Settings.load()
    connection = read_tiktok_app(os.environ)
    platform = platform_of(connection, settings) if connection is not None else None
    workspace = settings.open_workspace(keeps_connections=True)
    return assemble_app(
        workspace,
        platform,
        KeyAuthenticator(workspace),
        engines=partial(open_engines, read_detection_connection(os.environ)),
    )


def assemble_app(
    workspace: Workspace,
    platform: Platform | None,
    authenticator: Authenticator | None,
    *,
    mounted_at: str = "",
    max_file_bodies: int | None = None,
    engines: OpenEngines | None = None,
    run_links: RunLinks | None = None,
) -> FastAPI:
    """Return the application on a workspace that is open already.

    :param platform: without it webhooks and the answers of consent pages are refused with 503
    :param authenticator: knows the users; without one there is nothing that needs a user
    :param mounted_at: the path below which it is mounted in another application, at the beginning
        of :data:`API_PATH`; mounted, it has no routes for TikTok and for creators' browsers
    :param max_file_bodies: how many files are taken in at once, one fewer of one user; None for no
        limit
    :param engines: of content analysis; the one that needs no connection when left out
    :param run_links: addresses of Airflow's runs, where they are known
    """
    prefix = API_PATH.removeprefix(mounted_at)
    # Nothing redirects: TikTok takes a redirect for a failure.
    app = FastAPI(
        title="Reelflow",
        description=_DESCRIPTION,
        openapi_url=f"{prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=errors(400, 408, 413, 414, 415, 422, 431, 503),
    )
    add_error_handlers(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(SafeHeaders)
    opened = engines or partial(open_engines, None)
    app.include_router(health_routes(workspace, opened), prefix=prefix)
    app.include_router(docs_routes(app), prefix=prefix)
    if not mounted_at:
        _add_routes_for_strangers(app, workspace, platform)
    if authenticator is not None:
        intake = Intake(
            workspace=workspace,
            guard=Guard(authenticator),
            file_bodies=FileBodies(max_file_bodies),
            platform=platform,
            engines=opened,
            run_links=run_links or _no_link,
            prefix=prefix,
        )
        for router in _intake_routers(intake):
            app.include_router(router, prefix=prefix, responses=errors(401, 403))
        add_envelope_handler(app, f"{prefix}{DASHBOARD_PATH}")
    return app


def _intake_routers(intake: Intake) -> list[APIRouter]:
    """Return what people and programs use, in the order of the schema."""
    return [
        post_routes(intake),
        post_step_routes(intake),
        post_page_routes(intake),
        account_routes(intake),
        approval_routes(intake),
        upload_routes(intake),
        simple_routes(intake),
        image_routes(intake),
        media_routes(intake),
        dashboard_routes(intake),
        direct_upload_routes(intake),
    ]


def _add_routes_for_strangers(
    app: FastAPI, workspace: Workspace, platform: Platform | None
) -> None:
    """Add what TikTok and creators' browsers reach; the schema is for others."""
    for path, router in (
        (PUBLIC_MEDIA_PATH, public_media_routes(workspace)),
        (f"{API_PATH}/oauth", oauth_routes(workspace, platform)),
        (f"{API_PATH}/webhooks", webhook_routes(workspace, platform)),
    ):
        app.include_router(router, prefix=path, include_in_schema=False)


def _no_link(_: str) -> None:
    """Return that nobody knows where a run can be looked at."""
