"""Builds the two ASGI applications, API with control routes and upload, over one world."""

import logging

from starlette.applications import Starlette
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiktok_simulator.account_control import AccountControlRoutes
from tiktok_simulator.control import ControlRoutes
from tiktok_simulator.control_bodies import ControlError, refuse
from tiktok_simulator.creator_control import CreatorControlRoutes
from tiktok_simulator.display_routes import DisplayRoutes
from tiktok_simulator.fault_control import FaultControlRoutes
from tiktok_simulator.oauth_routes import OAuthRoutes
from tiktok_simulator.page import PageRoutes
from tiktok_simulator.routes import PublishRoutes
from tiktok_simulator.state import World
from tiktok_simulator.upload_routes import UploadRoutes
from tiktok_simulator.webhook_control import WebhookControlRoutes

_log = logging.getLogger(__name__)


def create_api_app(world: World) -> ASGIApp:
    """Return the app of the API's port: TikTok's JSON calls, and ``/_sim`` beside them."""
    control = Mount(
        "/_sim",
        routes=[
            *PageRoutes(world).routes(),
            *ControlRoutes(world).routes(),
            *FaultControlRoutes(world).routes(),
            *CreatorControlRoutes(world).routes(),
            *AccountControlRoutes(world).routes(),
            *WebhookControlRoutes(world).routes(),
        ],
    )
    platform = [
        *PublishRoutes(world).routes(),
        *OAuthRoutes(world).routes(),
        *DisplayRoutes(world).routes(),
    ]
    app = Starlette(routes=[*platform, control], exception_handlers={ControlError: refuse})
    return _finished(app, world)


def create_upload_app(world: World) -> ASGIApp:
    """Return the app of the upload port."""
    return _finished(Starlette(routes=UploadRoutes(world).routes()), world)


def _finished(app: Starlette, world: World) -> ASGIApp:
    # The trailing slash is part of every documented path; nothing is redirected to it.
    app.router.redirect_slashes = False
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, Router):
            route.app.redirect_slashes = False
    return AccessLog(app, world)


class AccessLog:
    """Logs method, path and status; never the query, which holds upload tokens."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and log the answer when it starts."""
        method, path = scope["method"], scope["path"]

        async def log_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _log.info("%s %s -> %s", method, path, message["status"])
                self._world.call_log.note(self._world.clock.now(), method, path, message["status"])
            await send(message)

        await self._app(scope, receive, log_and_send)
