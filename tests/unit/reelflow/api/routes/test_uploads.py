from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from reelflow.api.app import assemble_app
from reelflow.ledger import quotas
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import CHUNK, WISH, Uploads, video_like
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.frail_store import with_frail_store
from tests.known_users import ANNA, BEN, CARL, ROOT, KnownUsers
from tests.unit.reelflow.api.conftest import Web

CONTENT = video_like(CHUNK + 1000)
CHUNKS = [CONTENT[:CHUNK], CONTENT[CHUNK:]]


@pytest.fixture
def web(workspace: Workspace) -> Web:
    return Web(assemble_app(workspace, None, KnownUsers()))


@pytest.fixture
def init(web: Web) -> Callable[..., httpx.Response]:
    """Announce a file as Anna does, unless told otherwise."""

    def send(**body: Any) -> httpx.Response:
        announced = {
            "file_name": "clip.mp4",
            "file_size": len(CONTENT),
            "content_type": "video/mp4",
            "media_type": "video",
            "chunk_size": CHUNK,
            **body,
        }
        return web.post("/media/upload/init", json=announced, headers=ANNA)

    return send


@pytest.fixture
def upload_id(init: Callable[..., httpx.Response]) -> str:
    """An open upload of Anna's."""
    return str(init().json()["upload_id"])


def put(web: Web, upload_id: str, index: int | str, chunk: bytes, **headers: str) -> httpx.Response:
    path = f"/media/upload/{upload_id}/chunks/{index}"
    return web.put(path, content=chunk, headers={**ANNA, **headers})


def post_form(web: Web, upload_id: str, index: int | str, chunk: bytes, **more: str) -> Any:
    fields = {"upload_id": upload_id, "chunk_index": str(index), **more}
    return web.post(
        "/media/upload/chunk", data=fields, files={"file": ("blob", chunk)}, headers=ANNA
    )


def status(web: Web, upload_id: str, user: dict[str, str] = ANNA) -> httpx.Response:
    return web.get(f"/media/upload/{upload_id}/status", headers=user)


def finalize(web: Web, upload_id: str, **options: Any) -> httpx.Response:
    return web.post(f"/media/upload/{upload_id}/finalize", headers=ANNA, **options)


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def digest_of(chunk: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(chunk).digest()).decode()}:"


def test_an_upload_goes_its_whole_way(
    web: Web, init: Callable[..., httpx.Response], account: Account, workspace: Workspace
) -> None:
    begun = init(post=WISH)
    assert begun.status_code == 201
    assert begun.json().keys() == {"upload_id", "chunk_size", "total_chunks", "expires_at"}
    assert (begun.json()["chunk_size"], begun.json()["total_chunks"]) == (CHUNK, 2)
    upload_id = begun.json()["upload_id"]
    last = put(web, upload_id, 1, CHUNKS[1])
    assert last.status_code == 200
    assert {**last.json(), "expires_at": ""} == {
        "upload_id": upload_id,
        "index": 1,
        "received_chunks": 1,
        "total_chunks": 2,
        "expires_at": "",
    }
    first = post_form(web, upload_id, 0, CHUNKS[0], sha256=hashlib.sha256(CHUNKS[0]).hexdigest())
    assert (first.status_code, first.json()["received_chunks"]) == (200, 2)
    done = finalize(web, upload_id)
    assert done.status_code == 201
    media = done.json()["media"]
    assert (media["media_id"], media["state"]) == (upload_id, "awaiting_checks")
    assert media["links"]["thumbnail"] == f"/reelflow/api/v1/media/{upload_id}/thumbnail"
    assert media["posts"] == [done.json()["post"]["post_id"]]
    assert done.json()["post"]["media_ids"] == [upload_id]
    assert [step["to"] for step in done.json()["post"]["story"]] == ["READY"]
    assert data_folder(workspace).path(f"media/{upload_id}.mp4").read_bytes() == CONTENT
    again = finalize(web, upload_id, json={})
    assert (again.status_code, again.json()) == (200, done.json())
    assert web.get(f"/media/{upload_id}", headers=ANNA).status_code == 200


def test_the_status_tells_how_to_go_on(web: Web, upload_id: str, clock: Clock) -> None:
    put(web, upload_id, 1, CHUNKS[1])
    answer = status(web, upload_id)
    told = answer.json()
    assert answer.status_code == 200
    assert datetime.fromisoformat(told.pop("expires_at")) == clock() + timedelta(hours=1)
    assert told == {
        "upload_id": upload_id,
        "state": "open",
        "file_name": "clip.mp4",
        "file_size": len(CONTENT),
        "chunk_size": CHUNK,
        "total_chunks": 2,
        "received_chunks": 1,
        "progress": pytest.approx(1000 / len(CONTENT)),
        "received": [[1, 1]],
        "missing": [[0, 0]],
        "next_chunk": 0,
        "media_id": None,
        "post_id": None,
    }
    clock.advance(timedelta(hours=1))
    assert status(web, upload_id).json()["state"] == "expired"


def test_a_finished_upload_has_a_status_too(web: Web, upload_id: str) -> None:
    for index, chunk in enumerate(CHUNKS):
        put(web, upload_id, index, chunk)
    finalize(web, upload_id)
    told = status(web, upload_id).json()
    assert (told["state"], told["progress"], told["next_chunk"]) == ("finished", 1, None)
    assert (told["missing"], told["media_id"]) == ([], upload_id)


def test_an_upload_is_given_up(web: Web, upload_id: str) -> None:
    path = f"/media/upload/{upload_id}"
    assert said(web.delete(path, headers=BEN)) == (404, "upload_not_found")
    answer = web.delete(path, headers=ANNA)
    assert (answer.status_code, answer.content) == (204, b"")
    assert said(web.delete(path, headers=ANNA)) == (404, "upload_not_found")


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"file_size": 0}, (422, "invalid_request")),
        ({"file_size": -5}, (422, "invalid_request")),
        ({"file_size": "many"}, (422, "invalid_request")),
        ({"file_size": "5"}, (422, "invalid_request")),
        ({"file_size": True}, (422, "invalid_request")),
        ({"chunk_size": True}, (422, "invalid_request")),
        ({"file_size": 2**53}, (413, "file_too_large")),
        ({"file_size": 10**4000}, (422, "invalid_request")),
        ({"file_size": 600 * 1024 * 1024}, (413, "file_too_large")),
        ({"file_name": ""}, (422, "invalid_request")),
        ({"file_name": "a" * 2000}, (422, "invalid_request")),
        ({"content_type": "text/html"}, (415, "unsupported_media_type")),
        ({"media_type": "audio"}, (422, "invalid_request")),
        ({"chunk_size": 0}, (422, "invalid_request")),
        ({"sha256": "abc"}, (422, "invalid_request")),
        ({"post_id": 1}, (404, "post_not_found")),
        ({"post_id": 10**20}, (422, "invalid_request")),
        ({"post_id": 1, "post": WISH}, (422, "invalid_request")),
        ({"post": {**WISH, "account": "nobody"}}, (404, "account_not_found")),
        ({"post": {"account": "acme"}}, (422, "invalid_post")),
        ({"post": [1]}, (422, "invalid_request")),
        ({"owner": "ben"}, (422, "invalid_request")),
    ],
)
def test_an_announcement_that_is_wrong_is_refused_in_the_fields_words(
    init: Callable[..., httpx.Response], changed: dict[str, Any], answer: tuple[int, str]
) -> None:
    refused = init(**changed)
    assert said(refused) == answer
    assert len(refused.content) < 1000


def test_beyond_the_quota_is_429_with_the_time_to_wait(
    init: Callable[..., httpx.Response], workspace: Workspace, clock: Clock
) -> None:
    with workspace.ledger.write() as session:
        quotas.store(
            session, "anna", uploads_per_day=None, bytes_per_day=10, now=clock(), actor="tests"
        )
    answer = init()
    assert said(answer) == (429, "quota_exceeded")
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * 3600


@pytest.mark.parametrize(
    ("index", "chunk", "headers", "answer"),
    [
        (0, CHUNKS[0][:-1], {}, (422, "chunk_length")),
        (0, CONTENT, {}, (422, "chunk_length")),
        (1, b"", {}, (422, "chunk_length")),
        (2, CHUNKS[1], {}, (422, "chunk_index")),
        (-1, CHUNKS[1], {}, (422, "chunk_index")),
        (10**30, CHUNKS[1], {}, (422, "chunk_index")),
        ("one", CHUNKS[1], {}, (422, "invalid_request")),
        (1, CHUNKS[1], {"Content-Digest": digest_of(b"other")}, (422, "chunk_digest")),
        (1, CHUNKS[1], {"Content-Digest": "md5=:AAAA:"}, (422, "digest_malformed")),
        (1, CHUNKS[1], {"Content-Encoding": "gzip"}, (415, "unsupported_media_type")),
        (1, CHUNKS[1], {"Content-Length": "99999999999"}, (413, "body_too_large")),
    ],
)
def test_a_chunk_that_is_wrong_is_refused_and_can_be_sent_right(
    web: Web,
    upload_id: str,
    index: int | str,
    chunk: bytes,
    headers: dict[str, str],
    answer: tuple[int, str],
) -> None:
    assert said(put(web, upload_id, index, chunk, **headers)) == answer
    assert status(web, upload_id).json()["received_chunks"] == 0
    right = put(web, upload_id, 1, CHUNKS[1], **{"Content-Digest": digest_of(CHUNKS[1])})
    assert right.status_code == 200


def test_a_chunk_without_a_length_is_411(web: Web, upload_id: str) -> None:
    async def pieces() -> Any:
        yield CHUNKS[1]

    path = f"/media/upload/{upload_id}/chunks/1"
    assert said(web.put(path, content=pieces(), headers=ANNA)) == (411, "length_required")


def test_other_bytes_for_a_chunk_that_is_there_are_409(web: Web, upload_id: str) -> None:
    put(web, upload_id, 1, CHUNKS[1])
    assert put(web, upload_id, 1, CHUNKS[1]).status_code == 200
    assert said(put(web, upload_id, 1, bytes(1000))) == (409, "chunk_differs")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"chunk_index": "one"}, (422, "invalid_request")),
        ({"chunk_index": "-1"}, (422, "invalid_request")),
        ({"chunk_index": "2"}, (422, "chunk_index")),
        ({"chunk_index": "0"}, (422, "chunk_length")),
        ({"sha256": "abc"}, (422, "invalid_request")),
        ({"sha256": hashlib.sha256(b"other").hexdigest()}, (422, "chunk_digest")),
        ({"upload_id": "0" * 32}, (404, "upload_not_found")),
        ({"upload_id": "../../etc"}, (404, "upload_not_found")),
        ({"more": "of it"}, (422, "invalid_request")),
    ],
)
def test_a_form_that_is_wrong_is_refused(
    web: Web, upload_id: str, fields: dict[str, str], answer: tuple[int, str]
) -> None:
    sent = {"upload_id": upload_id, "chunk_index": "1", **fields}
    refused = web.post(
        "/media/upload/chunk", data=sent, files={"file": ("blob", CHUNKS[1])}, headers=ANNA
    )
    assert said(refused) == answer
    assert status(web, upload_id).json()["received_chunks"] == 0


def test_a_form_says_where_its_chunk_belongs_before_it_comes(web: Web, upload_id: str) -> None:
    form = [
        ("file", ("blob", CHUNKS[1])),
        ("upload_id", (None, upload_id.encode())),
        ("chunk_index", (None, b"1")),
    ]
    answer = web.post("/media/upload/chunk", files=form, headers=ANNA)
    assert said(answer) == (422, "invalid_request")
    assert answer.json()["details"]["fields"][0]["field"] == "upload_id"


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        (("sha256", (None, hashlib.sha256(CHUNKS[1]).hexdigest().encode())), "invalid_request"),
        (("more", (None, b"of it")), "invalid_request"),
        (("file", ("blob", CHUNKS[1])), "too_many_parts"),
    ],
)
def test_a_form_that_is_refused_behind_its_chunk_leaves_the_chunk_missing(
    web: Web, upload_id: str, late: tuple[str, Any], reason: str
) -> None:
    broken = bytes(len(CHUNKS[1]))
    fields = [
        ("upload_id", (None, upload_id.encode())),
        ("chunk_index", (None, b"1")),
        ("file", ("blob", broken)),
    ]
    refused = web.post("/media/upload/chunk", files=[*fields, late], headers=ANNA)
    assert said(refused) == (422, reason)
    assert status(web, upload_id).json()["received_chunks"] == 0
    assert put(web, upload_id, 1, CHUNKS[1]).status_code == 200


@pytest.mark.parametrize("name", ["data", "file2"])
def test_a_form_without_its_file_is_refused(web: Web, upload_id: str, name: str) -> None:
    fields = {"upload_id": upload_id, "chunk_index": "1"}
    files = {name: ("blob", CHUNKS[1])}
    answer = web.post("/media/upload/chunk", data=fields, files=files, headers=ANNA)
    assert said(answer) == (422, "invalid_request")


def test_a_chunk_that_is_no_form_is_415(web: Web) -> None:
    answer = web.post("/media/upload/chunk", json={}, headers=ANNA)
    assert said(answer) == (415, "unsupported_media_type")


def test_missing_chunks_are_409_with_their_ranges(web: Web, upload_id: str) -> None:
    put(web, upload_id, 1, CHUNKS[1])
    answer = finalize(web, upload_id)
    assert said(answer) == (409, "chunks_missing")
    assert answer.json()["details"]["missing"] == [[0, 0]]


def test_a_lying_content_type_is_422_and_the_upload_gone(
    web: Web, init: Callable[..., httpx.Response]
) -> None:
    page = b"<html>" + bytes(100)
    upload_id = init(file_size=len(page)).json()["upload_id"]
    put(web, upload_id, 0, page)
    for _ in range(2):
        answer = finalize(web, upload_id)
        assert said(answer) == (422, "not_this_media")
        assert answer.json()["details"]["violations"][0]["rule"] == "type"
    assert status(web, upload_id).json()["state"] == "cancelled"
    assert said(put(web, upload_id, 0, page)) == (409, "upload_state")


def test_an_expired_upload_is_409_until_it_is_swept(web: Web, upload_id: str, clock: Clock) -> None:
    clock.advance(timedelta(hours=1))
    assert said(put(web, upload_id, 0, CHUNKS[0])) == (409, "upload_expired")
    assert said(finalize(web, upload_id)) == (409, "upload_expired")


def test_users_see_their_own_uploads_and_admins_all(web: Web, upload_id: str) -> None:
    assert said(status(web, upload_id, BEN)) == (404, "upload_not_found")
    assert status(web, upload_id, ROOT).status_code == 200
    assert said(web.get(f"/media/upload/{upload_id}/status")) == (401, "unauthenticated")
    path = f"/media/upload/{upload_id}/chunks/1"
    assert said(web.put(path, content=CHUNKS[1], headers=BEN)) == (404, "upload_not_found")
    assert said(web.put(path, content=CHUNKS[1], headers=CARL)) == (403, "scope_missing")


def test_a_server_that_takes_no_more_bodies_says_when_to_come_again(
    workspace: Workspace, upload_id: str
) -> None:
    busy = Web(assemble_app(workspace, None, KnownUsers(), max_file_bodies=0))
    answer = put(busy, upload_id, 1, CHUNKS[1])
    assert said(answer) == (503, "busy")
    assert answer.headers["Retry-After"]
    assert said(post_form(busy, upload_id, 1, CHUNKS[1])) == (503, "busy")


def test_the_schema_tells_of_raw_bodies_and_forms(web: Web) -> None:
    paths = web.get("/openapi.json").json()["paths"]
    chunk = paths["/reelflow/api/v1/media/upload/{upload_id}/chunks/{index}"]["put"]
    assert "application/octet-stream" in chunk["requestBody"]["content"]
    assert {"Content-Digest", "upload_id", "index"} <= {one["name"] for one in chunk["parameters"]}
    form = paths["/reelflow/api/v1/media/upload/chunk"]["post"]
    assert "multipart/form-data" in form["requestBody"]["content"]


@pytest.mark.parametrize(
    ("body", "is_posted"),
    [
        (None, True),
        ({}, True),
        ({"post": None}, True),
        ({"post_id": None}, False),
        ({"post_id": None, "post": None}, False),
    ],
)
def test_finalize_makes_the_post_of_init_unless_it_says_that_there_is_none(
    web: Web, workspace: Workspace, account: Account, body: dict[str, Any] | None, is_posted: bool
) -> None:
    upload_id = Uploads(workspace).sent(CONTENT, post=WISH)
    answer = finalize(web, upload_id, **({} if body is None else {"json": body}))
    assert answer.status_code == 201
    assert (answer.json()["post"] is not None) is is_posted
    again = finalize(web, upload_id).json()
    assert again["post"] == answer.json()["post"]


@pytest.mark.parametrize("at", ["before complete", "after complete"])
def test_an_upload_that_is_cancelled_while_it_is_finalized_is_gone(
    workspace: Workspace, at: str
) -> None:
    """Its object may be gone when it is looked at: that is no failure of the server."""
    workspace, store = with_frail_store(workspace)
    web, uploads = Web(assemble_app(workspace, None, KnownUsers())), Uploads(workspace)
    upload_id = uploads.sent(CONTENT)
    cancelled: list[int] = []

    def cancel() -> None:
        answer = web.delete(f"/media/upload/{upload_id}", headers=ANNA)
        cancelled.append(answer.status_code)

    store.meanwhile(at, cancel)
    assert said(finalize(web, upload_id)) == (404, "upload_not_found")
    assert cancelled == [204]
    assert uploads.stored() == []
