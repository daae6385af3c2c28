"""``GET /health``: whether this process can do its work."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from reelflow.exceptions import LedgerNotMigratedError, ReelflowError
from reelflow.ledger.engine import check_revision, check_writable
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_OK: Final = "ok"


def health_routes(workspace: Workspace) -> APIRouter:
    """Return the route; anybody may ask, so it names no host, path or error."""
    router = APIRouter()

    @router.api_route("/health", methods=["GET", "HEAD"])
    def health() -> JSONResponse:
        checks = {"database": _database(workspace), "data_folder": _data_folder(workspace)}
        is_well = set(checks.values()) == {_OK}
        status = _OK if is_well else "unhealthy"
        body = {"status": status, "version": version("reelflow"), "checks": checks}
        return JSONResponse(body, 200 if is_well else 503)

    return router


def _database(workspace: Workspace) -> str:
    try:
        check_revision(workspace.ledger.engine)
        check_writable(workspace.ledger.engine)
    except LedgerNotMigratedError as error:
        log.error("health: %s", error)
        return "not_migrated"
    except ReelflowError as error:
        log.error("health: %s", error)
        return "unreachable"
    return _OK


def _data_folder(workspace: Workspace) -> str:
    try:
        workspace.folders.check()
    except ReelflowError as error:
        log.error("health: %s", error)
        return "not_writable"
    return _OK
