"""``GET /health``: whether this process can do its work."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from reelflow.api.engine_health import NOT_CONFIGURED, EngineHealth
from reelflow.api.intake import OpenEngines
from reelflow.exceptions import LedgerNotMigratedError, ReelflowError
from reelflow.ledger.engine import check_revision, check_writable
from reelflow.services.calls.breaker import outage
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_OK: Final = "ok"
_UNKNOWN: Final = "unknown"


def health_routes(workspace: Workspace, engines: OpenEngines) -> APIRouter:
    """Return the route; anybody may ask, so it names no host, path or error."""
    router = APIRouter(tags=["health"])
    engine_health = EngineHealth(engines)

    @router.get("/health")
    @router.head("/health", include_in_schema=False)
    def health() -> JSONResponse:
        """Say whether files can be taken in: 503 without database or storage.

        While the detection engine is away they can: then the status is `degraded`, and what is to
        be analysed waits. Where none is configured `engine` says so, and nothing waits. It is
        `degraded` as well while `tiktok` is `paused`: TikTok failed for several accounts, so
        nothing new is begun for now.
        """
        checks = {"database": _database(workspace), "storage": _storage(workspace)}
        is_well = set(checks.values()) == {_OK}
        checks["engine"] = engine_health.state()
        checks["tiktok"] = _tiktok(workspace) if is_well else _UNKNOWN
        is_whole = is_well and checks["engine"] in (_OK, NOT_CONFIGURED) and checks["tiktok"] == _OK
        status = _OK if is_whole else "degraded" if is_well else "unhealthy"
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


def _tiktok(workspace: Workspace) -> str:
    return _OK if outage(workspace) is None else "paused"


def _storage(workspace: Workspace) -> str:
    try:
        workspace.folders.check()
    except ReelflowError as error:
        log.error("health: %s", error)
        return "not_writable"
    return _OK
