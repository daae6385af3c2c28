"""What every JSON call's answer has in common: faults, token, scope, limit, envelope (D-ERR)."""

import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from tiktok_simulator import rules
from tiktok_simulator.accounts import Account
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.faults import Call, Fault
from tiktok_simulator.state import World

ABORT_EXTENSION = "tiktok_simulator.abort"
MAX_BODY_BYTES = 2**16

_log = logging.getLogger(__name__)
Handler = Callable[[Account, str | None, bytes], dict[str, Any]]


class CutConnection(Response):
    """No answer: the connection is cut, as by a dying gateway."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut, and wait until the server has noticed."""
        scope["extensions"][ABORT_EXTENSION]["abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def answer(
    world: World, request: Request, call: Call, scopes: tuple[str, ...], handle: Handler
) -> Response:
    """Answer one JSON call in the order the platform checks it.

    :param scopes: the token needs one of them.
    :param handle: takes the account, the Content-Type and the body; returns ``data``.
    """
    body = await read_body(request)
    if fault := world.faults.take(call, "before"):
        return faulty(fault)
    try:
        account = world.authenticate(rules.bearer_token(request.headers.get("authorization")))
        rules.require_scope(account.scopes, scopes)
        world.windows.count(account.access_token, call, world.clock.now())
        if body is None:
            raise ApiError("invalid_params", "The request body is too large")
        data = handle(account, request.headers.get("content-type"), body)
    except ApiError as error:
        _log.info("%s refused: %s (%s)", call, error.code, error.message)
        return envelope(error.status, error.code, error.message)
    if fault := world.faults.take(call, "after"):
        return faulty(fault)
    return envelope(200, "ok", "", data)


async def read_body(request: Request) -> bytes | None:
    """Read a request's whole body; None if it is longer than :data:`MAX_BODY_BYTES`."""
    body = bytearray()
    async for piece in request.stream():
        if len(body) <= MAX_BODY_BYTES:
            body += piece
    return bytes(body) if len(body) <= MAX_BODY_BYTES else None


def faulty(fault: Fault) -> Response:
    """Answer as an armed fault wants it."""
    if fault.kind == "drop":
        return CutConnection()
    if fault.call == "put":
        return Response(status_code=fault.status)
    if fault.code is not None:
        return envelope(fault.status, fault.code, fault.code)
    # Seen in front of init: the edge answers in HTML, not in the API's JSON.
    return HTMLResponse("<html><body><h1>Service Unavailable</h1></body></html>", fault.status)


def envelope(status: int, code: str, message: str, data: dict[str, Any] | None = None) -> Response:
    """Wrap data or an error (D-ERR); a refusal carries no ``data``, as seen in real traffic."""
    log_id = new_log_id()
    content: dict[str, Any] = {} if data is None else {"data": data}
    content["error"] = {"code": code, "message": message, "log_id": log_id}
    return json_response(content, status, log_id)


def json_response(content: dict[str, Any], status: int, log_id: str) -> Response:
    """Return JSON as the platform writes it, with the log id in a header, too."""
    return Response(
        json.dumps(content, separators=(",", ":")),
        status,
        headers={"X-Tt-Logid": log_id},
        media_type="application/json; charset=utf-8",
    )


def new_log_id() -> str:
    """Return 34 characters: the time, then hexadecimal digits (D-ERR's examples)."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime()) + secrets.token_hex(10).upper()
