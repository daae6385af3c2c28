"""The PUT to an upload URL: its answers, its switches, its faults."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.app import create_upload_app
from tiktok_simulator.faults import Fault
from tiktok_simulator.state import World

HOUR_S = 3600
CHUNK = 5_242_880
Call = Callable[..., Any]


def source(size: int, chunk: int, count: int) -> dict[str, Any]:
    return {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk,
        "total_chunk_count": count,
    }


def test_two_chunks_arrive_as_206_and_201_with_the_progress_so_far(
    call: Call, put: Call, world: World
) -> None:
    size = 2 * CHUNK + 1
    body = {
        "post_info": {"privacy_level": "SELF_ONLY"},
        "source_info": source(size, CHUNK, 2),
    }
    task = call("video/init/", body).json()["data"]
    content = bytes(range(256)) * (CHUNK // 256 * 2) + b"!"

    first = put(task["upload_url"], content[:CHUNK], 0, size)
    last = put(task["upload_url"], content[CHUNK:], CHUNK, size)

    assert (first.status_code, first.headers["content-range"]) == (206, f"bytes 0-{CHUNK}/{size}")
    assert (last.status_code, last.headers["content-range"]) == (201, f"bytes 0-{size}/{size}")
    received = world.publications[task["publish_id"]].received
    assert received.sha256 == hashlib.sha256(content).hexdigest()
    assert b"".join(received.content()) == content


def test_an_authorization_header_on_a_put_is_refused_and_counted(
    put: Call, init: Call, world: World
) -> None:
    task = init(1)

    answer = put(task["upload_url"], b"a", 0, 1, Authorization="Bearer act.1")

    assert answer.status_code == 400
    assert world.authorization_violations == 1
    publication = world.publications[task["publish_id"]]
    assert (publication.authorization_seen, publication.received.size_bytes) == (1, 0)


def test_a_range_out_of_order_gets_a_416_with_the_progress(call: Call, put: Call) -> None:
    size = 2 * CHUNK
    task = call("inbox/video/init/", {"source_info": source(size, CHUNK, 2)}).json()["data"]
    data = bytes(CHUNK)

    skipped = put(task["upload_url"], data, CHUNK, size)
    put(task["upload_url"], data, 0, size)
    again = put(task["upload_url"], data, 0, size)

    assert (skipped.status_code, skipped.headers["content-range"]) == (416, f"bytes 0-0/{size}")
    assert (again.status_code, again.headers["content-range"]) == (416, f"bytes 0-{CHUNK}/{size}")


def test_unknown_expired_and_completed_uploads_are_404_403_and_404(
    put: Call, init: Call, world: World
) -> None:
    done, late = init(1), init(1)
    assert put(done["upload_url"], b"a", 0, 1).status_code == 201

    world.clock.advance(HOUR_S)

    assert put("/upload?upload_id=1&upload_token=2", b"a", 0, 1).status_code == 404
    assert put("/upload", b"a", 0, 1).status_code == 404
    assert put(done["upload_url"], b"a", 0, 1).status_code == 404
    assert put(late["upload_url"], b"a", 0, 1).status_code == 403


def test_a_wrong_media_type_is_a_400(put: Call, init: Call) -> None:
    task = init(1)

    assert put(task["upload_url"], b"a", 0, 1, Content_Type="image/jpeg").status_code == 400
    assert put(task["upload_url"], b"a", 0, 1, Content_Type="video/webm").status_code == 201


def test_a_body_cut_in_the_middle_stores_nothing_of_its_chunk(
    put: Call, init: Call, world: World
) -> None:
    task = init(10)

    _put_raw(world, task["upload_url"], 10, [b"abcde", None])

    assert world.publications[task["publish_id"]].received.size_bytes == 0
    assert put(task["upload_url"], b"abcdefghij", 0, 10).status_code == 201


@pytest.mark.parametrize("pieces", [[b"abcde"], [b"abcdefghij", b"k"]])
def test_a_body_of_another_length_than_its_header_is_a_400(
    init: Call, world: World, pieces: list[bytes | None]
) -> None:
    task = init(10)

    assert _put_raw(world, task["upload_url"], 10, pieces) == 400
    assert world.publications[task["publish_id"]].received.size_bytes == 0


def test_of_two_puts_of_one_range_at_once_one_is_stored(init: Call, world: World) -> None:
    task = init(2)

    async def scenario() -> list[int]:
        slow_may_end = asyncio.Event()
        slow = asyncio.create_task(
            _put_asgi(world, task["upload_url"], 2, [b"o", slow_may_end, b"o"])
        )
        await asyncio.sleep(0)
        fast = await _put_asgi(world, task["upload_url"], 2, [b"n", b"n"])
        slow_may_end.set()
        return [fast, await slow]

    assert asyncio.run(scenario()) == [201, 416]
    assert b"".join(world.publications[task["publish_id"]].received.content()) == b"nn"


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_fault_of_a_put_strikes_before_or_after_the_bytes_are_stored(
    put: Call, init: Call, world: World, when: Any, stored: int
) -> None:
    task = init(1)
    world.faults.arm(Fault("put", "error", when=when, status=502, chunk=-1))

    answer = put(task["upload_url"], b"a", 0, 1)

    assert (answer.status_code, answer.content) == (502, b"")
    assert world.publications[task["publish_id"]].received.size_bytes == stored


def _put_raw(world: World, url: str, length: int, pieces: list[Any]) -> int:
    return asyncio.run(_put_asgi(world, url, length, pieces))


async def _put_asgi(world: World, url: str, length: int, pieces: list[Any]) -> int:
    """PUT a body piece by piece; an Event waits, None is the client's hanging up."""
    statuses: list[int] = []
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        while left and isinstance(left[0], asyncio.Event):
            await left.pop(0).wait()
        if not left or left[0] is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    query = url.partition("?")[2]
    headers = {
        "content-type": "video/mp4",
        "content-length": str(length),
        "content-range": f"bytes 0-{length - 1}/{length}",
    }
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/upload",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await create_upload_app(world)(scope, receive, send)
    return statuses[0]


def test_progress_may_be_the_index_of_the_last_byte(call: Call, put: Call, world: World) -> None:
    world.switches.progress = "last_index"
    size = 2 * CHUNK
    task = call("inbox/video/init/", {"source_info": source(size, CHUNK, 2)}).json()["data"]

    nothing = put(task["upload_url"], bytes(CHUNK), CHUNK, size)
    first = put(task["upload_url"], bytes(CHUNK), 0, size)

    assert (nothing.status_code, "content-range" in nothing.headers) == (416, False)
    assert first.headers["content-range"] == f"bytes 0-{CHUNK - 1}/{size}"


def test_a_416_may_keep_the_progress_to_itself(call: Call, put: Call, world: World) -> None:
    world.switches.progress_on_416 = False
    size = 2 * CHUNK
    task = call("inbox/video/init/", {"source_info": source(size, CHUNK, 2)}).json()["data"]

    answer = put(task["upload_url"], bytes(CHUNK), CHUNK, size)

    assert (answer.status_code, "content-range" in answer.headers) == (416, False)


def test_a_stored_chunk_may_be_sent_again(call: Call, put: Call, world: World) -> None:
    world.switches.duplicate_chunk = 206
    size = 3 * CHUNK
    task = call("inbox/video/init/", {"source_info": source(size, CHUNK, 3)}).json()["data"]
    chunks = [bytes([number]) * CHUNK for number in range(3)]
    for number in range(2):
        put(task["upload_url"], chunks[number], number * CHUNK, size)

    again = put(task["upload_url"], chunks[0], 0, size)
    odd = put(task["upload_url"], chunks[0], 1, size)
    last = put(task["upload_url"], chunks[2], 2 * CHUNK, size)

    assert (again.status_code, again.headers["content-range"]) == (
        206,
        f"bytes 0-{2 * CHUNK}/{size}",
    )
    assert (odd.status_code, last.status_code) == (416, 201)
    received = world.publications[task["publish_id"]].received
    assert received.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_after_the_201_a_put_may_get_a_416(put: Call, init: Call, world: World) -> None:
    world.switches.completed_put = 416
    task = init(1)
    put(task["upload_url"], b"a", 0, 1)

    again = put(task["upload_url"], b"a", 0, 1)

    assert (again.status_code, again.headers["content-range"]) == (416, "bytes 0-1/1")


def test_a_body_longer_than_its_range_may_look_like_a_bad_gateway(
    put: Call, init: Call, world: World
) -> None:
    task = init(3)
    span = {"Content_Range": "bytes 0-2/3"}

    documented = put(task["upload_url"], b"abcd", 0, 3, **span)
    world.switches.long_body = 502
    observed = put(task["upload_url"], b"abcd", 0, 3, **span)
    short = put(task["upload_url"], b"ab", 0, 3, **span)

    assert [one.status_code for one in (documented, observed, short)] == [400, 502, 400]
    assert world.publications[task["publish_id"]].received.size_bytes == 0


def test_a_cancelled_upload_has_no_task(put: Call, init: Call, world: World) -> None:
    task = init(1)
    world.lifecycle.cancel(world.publications[task["publish_id"]])

    assert put(task["upload_url"], b"a", 0, 1).status_code == 404


@pytest.mark.parametrize(
    ("late_put", "is_told", "status"),
    [
        ("unless_told", False, 201),
        ("unless_told", True, 403),
        ("never", False, 403),
        ("always", True, 201),
    ],
)
def test_whether_a_put_under_way_at_expiry_lands_is_a_switch(
    init: Call, world: World, late_put: Any, is_told: bool, status: int
) -> None:
    world.switches.late_put = late_put
    task = init(2)
    publication = world.publications[task["publish_id"]]

    async def scenario() -> int:
        may_end = asyncio.Event()
        sender = asyncio.create_task(_put_asgi(world, task["upload_url"], 2, [b"a", may_end, b"b"]))
        await asyncio.sleep(0)
        world.clock.advance(HOUR_S)
        world.tick()
        assert publication.stage == "transfer"
        if is_told:
            assert world.poll(publication)["status"] == "FAILED"
        may_end.set()
        return await sender

    assert asyncio.run(scenario()) == status
    assert publication.received.size_bytes == (2 if status == 201 else 0)
    assert publication.puts_under_way == 0
    world.poll(publication)
    final = "PUBLISH_COMPLETE" if status == 201 else "FAILED"
    assert world.poll(publication)["status"] == final


@pytest.mark.parametrize(("progress", "has_header"), [(None, True), (True, True), (False, False)])
def test_an_armed_416_tells_the_progress_or_not(
    put: Call, init: Call, world: World, progress: bool | None, has_header: bool
) -> None:
    world.faults.arm(Fault("put", "error", status=416, progress=progress))

    answer = put(init(1)["upload_url"], b"a", 0, 1)

    assert (answer.status_code, "content-range" in answer.headers) == (416, has_header)


def test_an_armed_error_may_say_when_to_come_back(put: Call, init: Call, world: World) -> None:
    world.faults.arm(Fault("put", "error", status=429, retry_after_s=7, when="after"))

    answer = put(init(1)["upload_url"], b"a", 0, 1)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_a_fault_meets_only_the_post_it_is_aimed_at(put: Call, init: Call, world: World) -> None:
    mine, other, third = init(1), init(1), init(1, account=1)
    world.faults.arm(Fault("put", "error", publish_id=mine["publish_id"]))
    world.faults.arm(Fault("put", "error", open_id=world.accounts[1].open_id))

    statuses = [put(one["upload_url"], b"a", 0, 1).status_code for one in (other, third, mine)]

    assert statuses == [201, 503, 503]


def test_a_slow_put_is_stored_all_the_same(put: Call, init: Call, world: World) -> None:
    world.faults.arm(Fault("put", "slow", delay_s=0))

    assert put(init(1)["upload_url"], b"a", 0, 1).status_code == 201
    assert world.faults.armed == []
