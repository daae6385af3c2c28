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
    TikTokRejectedError,
    TransientError,
)
from reelflow.ledger.accounts import NAME_TAKEN
from reelflow.services.accounts.connect import STATE_LIFETIME, finish_connect
from reelflow.services.accounts.enrolment import Connected
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

ACTOR: Final = "web"
_QUERY_MAX_CHARS: Final = 8192
_FAILED: Final = "The account is not connected"
#: What a creator reads, who has neither our command line nor our settings; the log has the error.
_WHY: Final = {
    "oauth_state": "This link was used already, or its "
    f"{STATE_LIFETIME.total_seconds() / 60:.0f} minutes have passed.",
    "access_denied": "You did not consent at TikTok (access_denied).",
    NAME_TAKEN: "This link was made for another TikTok account, and you were signed in as one that "
    "this Reelflow does not know.",
}
_NEW_LINK: Final = "To connect it, ask whoever sent you this link for a new one."


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
    if connected.refused_name is not None:
        text += " This link was made for another TikTok account, which was not connected now."
    if connected.lacking:
        text += f" Not granted: {', '.join(connected.lacking)}. To grant it, ask for a new link."
    if connected.released:
        text += f" Posts that had waited for it go on: {len(connected.released)}."
    return f"{text} You can close this page."


def _failure(error: ReelflowError) -> HTMLResponse:
    log.warning("an account was not connected: %s", error)
    status = 503 if isinstance(error, TransientError) else 400
    return page(_FAILED, f"{_why(error)} {_NEW_LINK}", status=status)


def _why(error: ReelflowError) -> str:
    if known := _WHY.get(error.code):
        return known
    if isinstance(error, TikTokRejectedError):
        return f"TikTok refused it ({error.code})."
    if isinstance(error, ConfigurationError):
        return (
            f"Reelflow, or its app at TikTok, is not set up right ({error.code}); Reelflow's log "
            "says more."
        )
    return "It could not be done now, for a reason that should pass; Reelflow's log says more."
