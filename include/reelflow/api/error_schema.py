"""What the schema says of errors: their one shape, and what each status means here."""

from __future__ import annotations

from typing import Any, Final

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["reason", "message", "details"],
    "properties": {
        "reason": {"type": "string", "description": "stable slug"},
        "message": {"type": "string", "description": "what is wrong and what to do"},
        "details": {"type": "object"},
    },
}
_DESCRIPTIONS: Final[dict[int, str]] = {
    400: "The body cannot be read, or ended early",
    401: "No user is known by what was sent",
    403: "The user may not do this",
    404: "There is no such thing, or it is somebody else's",
    408: "The body came too slowly",
    409: "What is there now does not allow this",
    411: "The length of the body must be declared",
    413: "The body is too large",
    414: "The address is too long",
    415: "The body is of a type that is not taken",
    416: "No byte of the file lies in the range",
    422: "The request is understood, and wrong",
    429: "The user's quota is used up",
    431: "The headers are too large",
    502: "TikTok refused what it was asked",
    503: "Not now: try again later",
    507: "There is no room for the file",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route says of its errors in the schema: ``responses=errors(403, 404)``."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/json": {"schema": _SCHEMA}},
        }
        for status in statuses
    }
