"""``POST /webhooks/tiktok``: where TikTok tells what became of posts and accounts.

TikTok repeats for up to 72 hours what is not answered with 200 (webhooks-overview, read
2026-09-11): so 200 for whatever it signed, also if there is nothing to do about it, and an error
only for what TikTok did not sign, or what could not be written down yet.
"""

from __future__ import annotations

import logging
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from reelflow.api.bodies import read_body
from reelflow.api.errors import ApiError
from reelflow.api.platform import Platform
from reelflow.exceptions import WebhookRefusedError
from reelflow.services.settling import webhooks
from reelflow.services.workspace import Workspace
from reelflow.tiktok.webhooks import BODY_MAX_BYTES, parse_webhook, verify_webhook

log = logging.getLogger(__name__)

_BODY_TIMEOUT_S: Final = 10.0
_SIGNATURE_HEADER: Final = "tiktok-signature"


def webhook_routes(workspace: Workspace, platform: Platform | None) -> APIRouter:
    """Return the route.

    :param platform: None where the connection ``tiktok_app`` is not known
    """
    router = APIRouter()

    @router.post("/tiktok")
    async def take_webhook(request: Request) -> JSONResponse:
        if platform is None or not platform.client_secret:
            log.error("a webhook came, but the secret of the connection tiktok_app is not known")
            message = "this Reelflow does not know the app's secret, so it cannot verify webhooks"
            raise ApiError(503, "webhook_secret_missing", message)
        body = await read_body(request, max_bytes=BODY_MAX_BYTES, timeout_s=_BODY_TIMEOUT_S)
        _verify(workspace, platform, request, body)
        try:
            event = parse_webhook(body)
        except WebhookRefusedError as error:
            log.warning("%s TikTok signed it, so it is answered with 200 and left.", error)
            return JSONResponse({"status": "ignored"})
        if event.client_key != platform.client_key:
            log.warning("a webhook for the app %s is refused", event.client_key)
            message = "this event is for another app than that of the connection tiktok_app"
            raise ApiError(403, "webhook_other_app", message)
        await run_in_threadpool(webhooks.receive, workspace, event)
        return JSONResponse({"status": "received"})

    return router


def _verify(workspace: Workspace, platform: Platform, request: Request, body: bytes) -> None:
    """Raise unless the body was signed by the app's secret, and not long ago."""
    signature = request.headers.get(_SIGNATURE_HEADER, "")
    now_s = workspace.ledger.now().timestamp()
    try:
        verify_webhook(body, signature, platform.client_secret, now_s=now_s)
    except WebhookRefusedError as error:
        sender = request.client.host if request.client else "?"
        log.warning("%s It came from %s.", error, sender)
        raise ApiError(403, error.code, str(error)) from None
