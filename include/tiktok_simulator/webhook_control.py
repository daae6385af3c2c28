"""Control routes for the app's webhook callback."""

import dataclasses
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiktok_simulator.control_bodies import (
    ControlError,
    check_bool,
    check_int,
    done,
    json_object,
)
from tiktok_simulator.state import World
from tiktok_simulator.webhooks import Delivery, WebhookSettings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_DUPLICATES = 100
_MAX_RETRY_S = 86_400


class WebhookControlRoutes:
    """Steers the deliveries of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/webhooks", self.list_deliveries, methods=["GET"]),
            Route("/webhooks", self.change_settings, methods=["POST"]),
        ]

    async def list_deliveries(self, request: Request) -> Response:
        """The settings, and everything announced since the last reset."""
        webhooks = self._world.webhooks
        deliveries = [_delivery(one) for one in webhooks.deliveries]
        return JSONResponse({**dataclasses.asdict(webhooks.settings), "deliveries": deliveries})

    async def change_settings(self, request: Request) -> Response:
        """Change the callback: the fields of WebhookSettings."""
        known = {one.name for one in dataclasses.fields(WebhookSettings)}
        body = await json_object(request, known)
        if body.get("url") is not None:
            check_callback_url(body["url"])
        check_int(body, "duplicates", 0, _MAX_DUPLICATES)
        check_bool(body, "is_reordered")
        retry_s = body.get("retry_s", 1)
        if type(retry_s) not in (int, float) or not 0 < retry_s <= _MAX_RETRY_S:
            raise ControlError(f"retry_s must be seconds up to {_MAX_RETRY_S}, not {retry_s!r}.")
        self._world.tick()  # what happened before the callback existed is not sent to it
        vars(self._world.webhooks.settings).update(body)
        return done()


def check_callback_url(url: Any) -> None:
    """Refuse a callback that is neither https (D-WH) nor on this machine.

    :raises ControlError: with a sentence that names the URL.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        fits = bool(parts.hostname) and (parts.scheme == "https" or is_local)
        fits = fits and parts.port != 0 and bool(httpx.URL(url))
    except (ValueError, httpx.InvalidURL):
        fits = False
    if not fits:
        raise ControlError(
            f"url must be https, or http on this machine, for a callback; not {url!r}."
        )


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "event": delivery.event,
        "user_openid": delivery.open_id,
        "content": delivery.content,
        "create_time": int(delivery.created_at),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }
