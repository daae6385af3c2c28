"""Reads and checks the JSON bodies of control requests; what means nothing gets a sentence."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tiktok_simulator.json_text import read_json

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class ControlError(Exception):
    """A control request that means nothing; its message becomes the 400's sentence."""


async def refuse(request: Request, error: Exception) -> Response:
    """Answer a :class:`ControlError` with its sentence."""
    return JSONResponse({"error": str(error)}, 400)


def done() -> Response:
    """Answer a request that asks for nothing back."""
    return JSONResponse({"ok": True})


async def json_object(request: Request, fields: set[str]) -> dict[str, Any]:
    """Return the body, a JSON object of none but these fields."""
    try:
        body = read_json(await request.body())
    except ValueError as error:
        raise ControlError(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ControlError("The body must be a JSON object.")
    if unknown := sorted(body.keys() - fields):
        raise ControlError(f"Unknown fields {unknown}; known are {sorted(fields)}.")
    return body


def check_choice(
    body: dict[str, Any], name: str, choices: tuple[Any, ...], *, required: bool = False
) -> None:
    """Refuse a field that is none of the choices."""
    if (name in body or required) and body.get(name) not in choices:
        raise ControlError(f"{name} must be one of {list(choices)}, not {body.get(name)!r}.")


def check_int(
    body: dict[str, Any], name: str, low: int, high: int, *, required: bool = False
) -> None:
    """Refuse a field that is no integer from low to high."""
    if name not in body and not required:
        return
    value = body.get(name)
    if type(value) is not int or not low <= value <= high:
        raise ControlError(f"{name} must be an integer from {low} to {high}, not {value!r}.")


def check_bool(body: dict[str, Any], name: str) -> None:
    """Refuse a field that is neither true nor false."""
    if type(body.get(name, False)) is not bool:
        raise ControlError(f"{name} must be true or false, not {body[name]!r}.")


def check_code(body: dict[str, Any], name: str, *, required: bool = False) -> None:
    """Refuse a field that does not look like an error code of the platform."""
    value = body.get(name)
    if (name in body or required) and not (isinstance(value, str) and _CODE.fullmatch(value)):
        raise ControlError(f"{name} must be a lower-case error code, not {value!r}.")


def check_text(body: dict[str, Any], name: str, *, required: bool = False) -> None:
    """Refuse a field that is no text, or an empty one."""
    value = body.get(name)
    if (name in body or required) and not (isinstance(value, str) and value):
        raise ControlError(f"{name} must be a text, not {value!r}.")
