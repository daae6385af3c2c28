"""Reading a stranger's body: never more of it than is wanted, and not for longer."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from reelflow.api.content_length import declared_bytes
from reelflow.api.errors import ApiError

#: What was not read of a body would be taken for the next request.
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, *, max_bytes: int, timeout_s: float) -> bytes:
    """Return the raw body.

    :raises ApiError: 413 ``body_too_large``, before more than that is held; 408 ``body_too_slow``;
        400 ``body_cut`` when the sender went away
    """
    if (declared_bytes(request.scope) or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.stream():
                body += part
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        message = f"the body did not come within {timeout_s:g} s"
        raise ApiError(408, "body_too_slow", message, headers=_CLOSE) from None
    except ClientDisconnect:
        raise ApiError(400, "body_cut", "the body ended early", headers=_CLOSE) from None
    return bytes(body)


def _too_large(max_bytes: int) -> ApiError:
    message = f"the body has more than {max_bytes} bytes"
    return ApiError(413, "body_too_large", message, headers=_CLOSE)
