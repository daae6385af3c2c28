"""What a post's way really asks of TikTok, noted where every request leaves this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

from tests.integration.publisher import CHUNK
from tiktok_simulator.faults import Call

_CALLS: Final[Mapping[str, Call]] = {
    "POST /v2/oauth/token/": "token",
    "POST /v2/oauth/revoke/": "revoke",
    "POST /v2/post/publish/creator_info/query/": "creator_info",
    "POST /v2/post/publish/video/init/": "init",
    "POST /v2/post/publish/inbox/video/init/": "init",
    "POST /v2/post/publish/content/init/": "init",
    "PUT /upload": "put",
    "POST /v2/post/publish/status/fetch/": "status",
    "POST /v2/post/publish/cancel/": "cancel",
    "GET /v2/user/info/": "user_info",
    "POST /v2/video/list/": "video_list",
    "POST /v2/video/query/": "video_query",
}
#: What the tests themselves ask: the simulator's control, and its consent page as a browser.
_OF_THE_TESTS: Final = ("/_sim/", "/v2/auth/authorize/")


@dataclass(frozen=True)
class MadeCall:
    """One request.

    :param name: the simulator's name of the call; method and path where it has none
    :param chunk: of a PUT: the simulator's number of it, and whether it is the last
    """

    name: str
    chunk: tuple[int, bool] | None = None

    @property
    def is_last_chunk(self) -> bool:
        return self.chunk is not None and self.chunk[1]


@contextmanager
def noting_calls() -> Iterator[list[MadeCall]]:
    """Note every call of this process to TikTok until the block ends, answered or not."""
    made: list[MadeCall] = []
    send = HTTPAdapter.send

    def noted(adapter: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        path = urlsplit(request.url).path
        if not path.startswith(_OF_THE_TESTS):
            what = f"{request.method} {path}"
            chunk = _chunk(request.headers) if request.method == "PUT" else None
            made.append(MadeCall(_CALLS.get(what, what), chunk))
        return send(adapter, request, *args, **kwargs)

    HTTPAdapter.send = noted  # type: ignore[assignment, method-assign]
    try:
        yield made
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _chunk(headers: Mapping[str, str]) -> tuple[int, bool]:
    """Read which chunk is sent from ``Content-Range: bytes FIRST-LAST/SIZE``."""
    span, _, size = headers["Content-Range"].removeprefix("bytes ").partition("/")
    first, _, last = span.partition("-")
    return int(first) // CHUNK, int(last) + 1 == int(size)
