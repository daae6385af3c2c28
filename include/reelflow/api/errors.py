"""Errors of the web application: one JSON shape, and nothing in it that is not for strangers.

Every route but the page for browsers and those with an envelope of their own answers an error with
``{"reason": slug, "message": text, "details": {...}}``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match, Route

from reelflow.api.advice import for_callers
from reelflow.api.error_schema import errors
from reelflow.api.statuses import FOR_STRANGERS, STATUSES
from reelflow.domain.printable import printable
from reelflow.exceptions import MediaRejectedError, ReelflowError, TransientError

__all__ = [
    "ANSWERS",
    "ApiError",
    "ErrorResponse",
    "LimitError",
    "add_error_handlers",
    "error_response",
    "errors",
]

log = logging.getLogger(__name__)

_RETRY_AFTER_S: Final = 5
_SHOWN_CHARS: Final = 60
_FIELDS_MAX: Final = 20
_MESSAGES: Final = {
    400: ("malformed_body", "the body cannot be read"),
    404: ("not_found", "nothing is at this address"),
    405: ("method_not_allowed", "this address takes another method, see the header Allow"),
}


class ApiError(Exception):
    """An answer other than success, written for whoever asked.

    :param reason: stable slug
    :param message: what is wrong and what to do, without secrets, paths or hosts of ours
    :param details: what a program needs to act on it; JSON-safe
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers


class LimitError(HTTPException):
    """An :class:`ApiError` for where the framework lets its own errors alone pass: in a body."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        # What was not read of a body would be taken for the next request.
        super().__init__(status, message, {"Connection": "close"})
        self.reason = reason


class ErrorResponse(JSONResponse):
    """An error in the one shape; in ASCII, because it may quote what no other encoding has."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = {"reason": reason, "message": message, "details": dict(details or {})}
        super().__init__(body, status, headers)

    def render(self, content: Any) -> bytes:
        """Return the body; what JSON has no word for becomes text."""
        return json.dumps(content, default=str).encode()


def add_error_handlers(app: FastAPI) -> None:
    """Let every error of an application end in the one shape."""
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)


def _answer_api_error(_: Request, error: Exception) -> ErrorResponse:
    assert isinstance(error, ApiError)
    return ErrorResponse(
        error.status, error.reason, error.message, details=error.details, headers=error.headers
    )


def _answer_http_error(request: Request, error: Exception) -> ErrorResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if isinstance(error, LimitError):
        reason, message = error.reason, error.detail
    else:
        unlisted = ("refused", "the request cannot be answered")
        reason, message = _MESSAGES.get(error.status_code, unlisted)
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed_methods(request)))
    return ErrorResponse(error.status_code, reason, message, headers=headers)


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods of an address; the framework names those of one of its routes alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    found = [one for one in routes if one.matches(request.scope)[0] is not Match.NONE]
    # Of /things/new and /things/{id} the former is meant.
    path = min(found, key=lambda one: len(one.param_convertors)).path if found else None
    return {method for one in routes if one.path == path for method in one.methods or ()}


def _answer_invalid_request(request: Request, error: Exception) -> ErrorResponse:
    """Name each field that is wrong, what it has, and what it takes."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(_is_of_body(item) for item in found) and not _is_json(request):
        message = "this address takes a body in JSON: send it with Content-Type: application/json"
        return ErrorResponse(415, "unsupported_media_type", message)
    fields = [_wrong_field(item) for item in found[:_FIELDS_MAX]]
    told = "; ".join(f"{field['field']} is {field['value']}: {field['takes']}" for field in fields)
    return ErrorResponse(
        422, "invalid_request", f"the request is wrong: {told}", details={"fields": fields}
    )


def _is_of_body(item: Mapping[str, Any]) -> bool:
    """Whether an error is of what was sent as a body; nothing at all is of no wrong type."""
    return item["loc"][0] == "body" and not (item["type"] == "missing" and item["loc"] == ("body",))


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _wrong_field(item: Mapping[str, Any]) -> dict[str, str]:
    """Return one error of the framework's as a stranger may read it."""
    field = ".".join(printable(str(part), _SHOWN_CHARS) for part in item["loc"])
    value = "missing" if item["type"] == "missing" else repr(item.get("input"))
    return {
        "field": field,
        "value": printable(value, _SHOWN_CHARS),
        "takes": printable(str(item["msg"]), 4 * _SHOWN_CHARS),
    }


def _answer_reelflow_error(request: Request, error: Exception) -> ErrorResponse:
    """Answer what a service raised: as the table says, or for what no route expected, in general.

    The message of such a one may name hosts and paths, so the log gets it.
    """
    assert isinstance(error, ReelflowError)
    if error.code in STATUSES:
        return error_response(error)
    log.error("%s %s: %s", request.method, _route(request), error)
    if isinstance(error, TransientError):
        return ErrorResponse(
            503,
            "unavailable",
            "Reelflow cannot do this now: try again later",
            headers=_retry_after(error) or {"Retry-After": str(_RETRY_AFTER_S)},
        )
    return _answer_mistake(request, error)


def error_response(error: ReelflowError) -> ErrorResponse:
    """Return the answer to an error whose code is in the table."""
    if error.code in FOR_STRANGERS:
        log.warning("%s: %s", error.code, error)
        message, details = FOR_STRANGERS[error.code], {}
    else:
        message, details = for_callers(error.message), dict(error.context)
        if isinstance(error, MediaRejectedError):
            details["violations"] = error.violations
    return ErrorResponse(
        STATUSES[error.code], error.code, message, details=details, headers=_headers(error)
    )


def _headers(error: ReelflowError) -> dict[str, str]:
    if STATUSES[error.code] == 401:
        return {"WWW-Authenticate": "Bearer"}
    return _retry_after(error)


def _retry_after(error: ReelflowError) -> dict[str, str]:
    if isinstance(error, TransientError) and error.retry_after_s is not None:
        return {"Retry-After": str(max(1, round(error.retry_after_s)))}
    return {}


def _answer_mistake(_: Request, __: Exception) -> ErrorResponse:
    """Answer our own mistakes; the server logs them."""
    message = "Reelflow could not do this; its log says why"
    return ErrorResponse(500, "internal", message, headers={"Cache-Control": "no-store"})


def _route(request: Request) -> str:
    """Return the pattern of a request's path: the path itself may hold a signature."""
    return str(getattr(request.scope.get("route"), "path", "?"))


#: What answers which error: the nearest of its classes that is here.
ANSWERS: Final[Mapping[type[Exception], Callable[[Request, Exception], ErrorResponse]]] = {
    ApiError: _answer_api_error,
    HTTPException: _answer_http_error,
    RequestValidationError: _answer_invalid_request,
    ReelflowError: _answer_reelflow_error,
    Exception: _answer_mistake,
}
