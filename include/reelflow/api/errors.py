"""Errors of the web application: one JSON shape, and nothing in it that is not for strangers.

Every route but the page for browsers answers an error with ``{"reason": slug, "message": text}``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from reelflow.exceptions import ReelflowError, TransientError

log = logging.getLogger(__name__)

_RETRY_AFTER_S: Final = 5
_MESSAGES: Final = {
    404: ("not_found", "nothing is at this address"),
    405: ("method_not_allowed", "this address takes another method, see the header Allow"),
}


class ApiError(Exception):
    """An answer other than success, written for whoever asked.

    :param reason: stable slug
    :param message: what is wrong and what to do, without secrets, paths or hosts of ours
    """

    def __init__(
        self, status: int, reason: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = headers


def add_error_handlers(app: FastAPI) -> None:
    """Let every error of an application end in the one shape."""
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(ReelflowError, _answer_reelflow_error)
    app.add_exception_handler(Exception, _answer_mistake)


def _body(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason, "message": message}


def _answer_api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return JSONResponse(_body(error.reason, error.message), error.status, error.headers)


def _answer_http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    unlisted = ("refused", "the request cannot be answered")
    reason, message = _MESSAGES.get(error.status_code, unlisted)
    return JSONResponse(_body(reason, message), error.status_code, error.headers)


def _answer_reelflow_error(request: Request, error: Exception) -> JSONResponse:
    """Answer what no route expected; the message may name hosts and paths, so the log gets it."""
    assert isinstance(error, ReelflowError)
    log.error("%s %s: %s", request.method, _route(request), error)
    if isinstance(error, TransientError):
        message = "Reelflow cannot do this now: try again later"
        headers = {"Retry-After": str(_RETRY_AFTER_S)}
        return JSONResponse(_body("unavailable", message), 503, headers)
    return _answer_mistake(request, error)


def _answer_mistake(_: Request, __: Exception) -> JSONResponse:
    """Answer our own mistakes; the server logs them."""
    message = "Reelflow could not do this; its log says why"
    return JSONResponse(_body("internal", message), 500, {"Cache-Control": "no-store"})


def _route(request: Request) -> str:
    """Return the pattern of a request's path: the path itself may hold a signature."""
    return str(getattr(request.scope.get("route"), "path", "?"))
