"""``GET /docs``: the schema as a page that needs nothing from anywhere."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from reelflow.api.reference_page import reference_page

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def docs_routes(app: FastAPI) -> APIRouter:
    """Return the route.

    The framework's own page loads its scripts from another site, which would then see the keys
    that people try it with.
    """
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        content = reference_page(app.openapi())
        return HTMLResponse(content, headers={"Content-Security-Policy": _POLICY})

    return router
