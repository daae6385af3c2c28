"""What every JSON call's answer has in common: faults, token, scope, limit, envelope (D-ERR)."""

import contextlib
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
from tiktok_simulator.faults import Call, Fault, Target
from tiktok_simulator.json_text import read_json
from tiktok_simulator.state import World

ABORT_EXTENSION = "tiktok_simulator.abort"
MAX_BODY_BYTES = 2**16

_log = logging.getLogger(__name__)
Handler = Callable[[Account, str | None, bytes], dict[str, Any] | None]


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
    :param handle: takes the account, the Content-Type and the body; returns ``data``,
        None if the answer has none.
    """
    body = await read_body(request)
    authorization = request.headers.get("authorization")
    encounter = world.faults.meet(_target(world, call, authorization, body))
    if fault := await encounter.strike("before"):
        return faulty(fault)
    try:
        account = world.authenticate(rules.bearer_token(authorization))
        rules.require_scope(account.scopes, scopes)
        world.windows.count(account.access_token, call, world.clock.now())
        if body is None:
            raise ApiError("invalid_params", "The request body is too large")
        data = handle(account, request.headers.get("content-type"), body)
    except ApiError as error:
        _log.info("%s refused: %s (%s)", call, error.code, error.message)
        code = world.switches.invalid_code if error.code == "invalid_params" else error.code
        return envelope(error.status, code, error.message)
    encounter.target.publish_id = (data or {}).get("publish_id", encounter.target.publish_id)
    if fault := await encounter.strike("after"):
        return faulty(fault)
    return envelope(200, "ok", "", data)


def _target(world: World, call: Call, authorization: str | None, body: bytes | None) -> Target:
    """Say whose call it is and about what, as far as that can be read before it is checked."""
    target = Target(call)
    with contextlib.suppress(ApiError):
        target.open_id = world.authenticate(rules.bearer_token(authorization)).open_id
    with contextlib.suppress(ValueError):
        fields = read_json(body or b"null")
        publish_id = fields.get("publish_id") if isinstance(fields, dict) else None
        target.publish_id = publish_id if isinstance(publish_id, str) else None
    return target


async def read_body(request: Request) -> bytes | None:
    """Read a request's whole body; None if it is longer than :data:`MAX_BODY_BYTES`."""
    body = bytearray()
    async for piece in request.stream():
        if len(body) <= MAX_BODY_BYTES:
            body += piece
    return bytes(body) if len(body) <= MAX_BODY_BYTES else None


def faulty(fault: Fault) -> Response:
    """Answer as an armed fault wants it."""
    if fault.kind != "error":
        return CutConnection()
    response = _error(fault)
    if fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(fault.retry_after_s)
    return response


def _error(fault: Fault) -> Response:
    if isinstance(fault.body, str):
        return HTMLResponse(fault.body, fault.status)
    if fault.body is not None:
        return json_response(fault.body, fault.status, new_log_id())
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


def json_response(content: Any, status: int, log_id: str) -> Response:
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
