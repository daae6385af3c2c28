"""``GET /oauth/callback``: where a creator's browser comes back to from TikTok's consent page."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from reelflow.api.pages import page
from reelflow.api.platform import Platform
from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.services.accounts.connect import finish_connect
from reelflow.services.accounts.enrolment import Connected
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

ACTOR: Final = "web"
_QUERY_MAX_CHARS: Final = 8192
_FAILED: Final = "The account is not connected"
#: Errors about the creator, the app or TikTok; others name hosts and paths of ours.
_MAY_BE_SHOWN: Final = (
    ConfigurationError,
    TikTokRejectedError,
    TikTokUnreachableError,
    TikTokUnavailableError,
    TikTokRateLimitedError,
)


def oauth_routes(workspace: Workspace, platform: Platform | None) -> APIRouter:
    """Return the route; a state that this Reelflow gave out a while ago is its only key.

    :param platform: None where the connection ``tiktok_app`` is not known
    """
    router = APIRouter()

    @router.get("/callback")
    def finish(request: Request) -> HTMLResponse:
        if platform is None:
            text = "This Reelflow does not know the TikTok app: set AIRFLOW_CONN_TIKTOK_APP."
            return page(_FAILED, text, status=503)
        if len(request.url.query) > _QUERY_MAX_CHARS:
            return page(_FAILED, "This is not an answer of TikTok's consent page.", status=400)
        try:
            connected = _finish(workspace, platform, dict(request.query_params))
        except ReelflowError as error:
            return _failure(error)
        log.info("account %s was connected", connected.account.name)
        return page("The account is connected", _success(connected))

    return router


def _finish(workspace: Workspace, platform: Platform, query: dict[str, str]) -> Connected:
    with platform.open_oauth() as oauth, platform.open_client() as client:
        return finish_connect(workspace, oauth, client, query, actor=ACTOR)


def _success(connected: Connected) -> str:
    account = connected.account
    who = f"@{account.username}" if account.username else "The account"
    text = f"{who} is connected to Reelflow as {account.name}."
    if connected.released:
        text += f" Posts that had waited for it go on: {len(connected.released)}."
    return f"{text} You can close this page."


def _failure(error: ReelflowError) -> HTMLResponse:
    log.warning("an account was not connected: %s", error)
    status = 503 if isinstance(error, TransientError) else 400
    if isinstance(error, _MAY_BE_SHOWN):
        return page(_FAILED, str(error), status=status)
    return page(_FAILED, "Reelflow could not do it now; its log says why.", status=status)
