from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from reelflow.api.app import assemble_app
from reelflow.domain.post import PostState
from reelflow.exceptions import ReelflowError, StorageAccessError, StorageUnavailableError
from reelflow.ledger import quotas
from reelflow.ledger.models import Account, Media
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR, read_post
from tests.full_disk import largest_file
from tests.known_users import ANNA, BEN, CARL, KnownUsers
from tests.left_behind import assert_nothing_is_left, reserved, unfinished_sessions
from tests.media_files import h264_mp4
from tests.photo_files import image
from tests.troubled_store import with_troubled_store
from tests.unit.reelflow.api.conftest import Web

PATH = "/media/upload/simple"
WISH = {"account": "acme", "caption": "Dawn", "privacy_level": "SELF_ONLY"}

Send = Callable[..., httpx.Response]


def video() -> bytes:
    return h264_mp4().read_bytes()


@pytest.fixture
def send(web: Web) -> Send:
    """Send a file as Anna does, unless told otherwise."""

    def send(
        content: bytes | None = None,
        *,
        name: str = "clip.mp4",
        declared: str = "video/mp4",
        headers: dict[str, str] = ANNA,
        to: Web = web,
        **fields: Any,
    ) -> httpx.Response:
        file = (name, video() if content is None else content, declared)
        return to.post(PATH, files={"file": file}, data=fields, headers=headers)

    return send


def test_a_file_is_kept_byte_for_byte_and_told_of(send: Send, workspace: Workspace) -> None:
    answer = send(media_type="video")
    assert answer.status_code == 201
    assert answer.json()["post"] is None
    media = answer.json()["media"]
    assert media["file_name"] == "clip.mp4"
    assert (media["media_type"], media["content_type"]) == ("video", "video/mp4")
    assert (media["state"], media["posts"]) == ("awaiting_checks", [])
    assert media["sha256"] == hashlib.sha256(video()).hexdigest()
    with workspace.ledger.read() as session:
        row = session.get_one(Media, media["media_id"])
    assert row.user_id == "anna"
    assert row.source_path == f"media/{row.id}.mp4"
    assert data_folder(workspace).path(row.source_path).read_bytes() == video()
    assert (reserved(workspace), unfinished_sessions(workspace)) == ((0, 0), [])


def test_fields_may_come_before_or_after_the_file(web: Web, account: Account) -> None:
    wish = ("post", (None, json.dumps(WISH)))
    for shade, parts in ((1, [wish, None]), (2, [None, wish])):
        file = ("file", ("a.jpg", image(shade=shade), "image/jpeg"))
        form = [part or file for part in parts]
        answer = web.post(PATH, files=form, headers=ANNA)
        assert (answer.status_code, answer.json()["media"]["posts"] != []) == (201, True)


def test_a_video_makes_a_post_that_goes(send: Send, workspace: Workspace, account: Account) -> None:
    answer = send(post=json.dumps(WISH))
    assert answer.status_code == 201
    (post_id,) = answer.json()["media"]["posts"]
    told = answer.json()["post"]
    assert (told["post_id"], told["state"]) == (post_id, "READY")
    assert told["media_ids"] == [answer.json()["media"]["media_id"]]
    post = read_post(workspace, post_id)
    assert (post.state, post.caption, post.user_id) == (PostState.READY, "Dawn", "anna")
    again = send(post=json.dumps({**WISH, "caption": "Dusk"}))
    assert again.status_code == 200
    assert again.json()["media"] == answer.json()["media"]


@pytest.mark.parametrize(
    ("content", "options", "status", "reason"),
    [
        (b"plain words", {}, 422, "not_this_media"),
        (b"", {}, 422, "not_this_media"),
        (image(), {"name": "clip.mp4"}, 422, "not_this_media"),
        (image(), {"name": "a.jpg", "media_type": "video"}, 422, "not_this_media"),
        (None, {"declared": "image/png"}, 422, "not_this_media"),
        (None, {"media_type": "image"}, 422, "not_this_media"),
        (None, {"media_type": "film"}, 422, "invalid_request"),
        (None, {"post": json.dumps({**WISH, "account": "\0"})}, 404, "account_not_found"),
        (None, {"post": json.dumps({**WISH, "account": "\ud800"})}, 404, "account_not_found"),
        (None, {"post": json.dumps({**WISH, "caption": "\ud800"})}, 422, "invalid_post"),
        (None, {"post": "no json"}, 422, "invalid_request"),
        (None, {"post": "[" * 30_000}, 422, "invalid_request"),
        (None, {"post": "[]"}, 422, "invalid_request"),
        (None, {"post": "{}"}, 422, "invalid_post"),
        (None, {"post": "{}", "post_id": "1"}, 422, "invalid_request"),
        (None, {"post_id": "one"}, 422, "invalid_request"),
        (None, {"post_id": "-1"}, 422, "invalid_request"),
        (None, {"post_id": "9" * 30}, 422, "invalid_request"),
        (None, {"post_id": "4711"}, 404, "post_not_found"),
        (None, {"post": json.dumps({**WISH, "account": "x"})}, 404, "account_not_found"),
        (None, {"colour": "red"}, 422, "invalid_request"),
        (None, {"media_type": ["video", "video"]}, 422, "invalid_request"),
        (None, {"file": "a text"}, 422, "invalid_request"),
        (None, {"headers": CARL}, 403, "scope_missing"),
        (None, {"headers": {}}, 401, "unauthenticated"),
        (bytes(50_000_000), {}, 413, "file_too_large"),
        (bytes(60_000_000), {}, 413, "body_too_large"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value)[:40],
)
def test_what_is_wrong_has_its_status_and_slug_and_leaves_nothing(
    send: Send,
    workspace: Workspace,
    account: Account,
    content: bytes | None,
    options: dict[str, Any],
    status: int,
    reason: str,
) -> None:
    answer = send(content, **options)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.json()["message"]
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        ({"json": {"file": "x"}}, 415, "unsupported_media_type"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415, None),
        ({"files": {"picture": ("a.jpg", image())}}, 422, "invalid_request"),
        ({"files": [("file", ("a.jpg", image()))] * 2}, 422, "too_many_parts"),
        ({"files": {"media_type": (None, "video")}}, 422, "invalid_request"),
        (
            {
                "content": b"--b\r\nnonsense",
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            400,
            None,
        ),
        (
            {
                "content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"'
                b"\r\n\r\n" + image()[:300],
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            400,
            "body_cut",
        ),
    ],
)
def test_a_body_that_is_not_this_form_is_refused_and_leaves_nothing(
    web: Web, workspace: Workspace, options: dict[str, Any], status: int, reason: str | None
) -> None:
    answer = web.post(PATH, **{**options, "headers": {**options.get("headers", {}), **ANNA}})
    assert answer.status_code == status
    assert reason in (None, answer.json()["reason"])
    assert_nothing_is_left(workspace)


def test_who_sends_too_much_at_once_is_told_of_chunks(send: Send) -> None:
    answer = send(bytes(60_000_000))
    assert "POST /media/upload/init" in answer.json()["message"]
    assert answer.headers["connection"] == "close"


def test_a_spent_quota_is_429_and_says_when_to_come_back(send: Send, workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        quotas.store(
            session,
            "anna",
            uploads_per_day=1,
            bytes_per_day=None,
            now=workspace.ledger.now(),
            actor=ACTOR,
        )
    assert send().status_code == 201
    answer = send(image(), name="a.jpg", declared="image/jpeg")
    assert (answer.status_code, answer.json()["reason"]) == (429, "quota_exceeded")
    assert int(answer.headers["retry-after"]) > 0
    assert send(headers=BEN).status_code == 201


def test_a_full_disk_is_507_and_the_next_file_is_taken(send: Send, workspace: Workspace) -> None:
    with largest_file(8 * 1024 * 1024):
        answer = send(video() + bytes(20_000_000))
    assert (answer.status_code, answer.json()["reason"]) == (507, "storage_full")
    assert "/" not in answer.json()["message"]
    assert_nothing_is_left(workspace)
    assert send().status_code == 201


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StorageAccessError("s3://ours refuses"), "storage_access"),
        (StorageAccessError("s3://ours is not there", code="storage_missing"), "storage_missing"),
        (StorageUnavailableError("of ours"), "unavailable"),
    ],
)
def test_storage_that_refuses_is_told_without_its_name_and_leaves_nothing(
    send: Send, workspace: Workspace, error: ReelflowError, reason: str
) -> None:
    troubled, store = with_troubled_store(workspace)

    def refuse(_: int) -> None:
        raise error

    store.after_put = refuse
    answer = send(to=Web(assemble_app(troubled, None, KnownUsers())))
    assert (answer.status_code, answer.json()["reason"]) == (503, reason)
    assert "ours" not in answer.text
    assert_nothing_is_left(workspace)


def test_more_files_at_once_than_allowed_are_asked_to_come_back(
    send: Send, workspace: Workspace
) -> None:
    web = Web(assemble_app(workspace, None, KnownUsers(), max_file_bodies=0))
    answer = send(to=web)
    assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/cron.d/clip.mp4", "clip.mp4"),
        ("..\\..\\clip.mp4", "clip.mp4"),
        ("cl\x1b[2Jip.mp4", "cl[2Jip.mp4"),
        ("e\u202e4pm.mp4", "e4pm.mp4"),
        ("x" * 300 + ".mp4", "x" * 251 + ".mp4"),
        ("Grüße 日本.mp4", "Grüße 日本.mp4"),
    ],
)
def test_names_are_kept_as_data_only(
    send: Send, workspace: Workspace, name: str, kept: str
) -> None:
    answer = send(name=name)
    assert (answer.status_code, answer.json()["media"]["file_name"]) == (201, kept)
    (stored,) = workspace.folders.store.list("media")
    assert stored.key == f"media/{answer.json()['media']['media_id']}.mp4"


def test_the_limit_of_the_house_is_that_of_uploads_too(send: Send, workspace: Workspace) -> None:
    rules = replace(workspace.rules, house=replace(workspace.rules.house, max_size_bytes=1000))
    strict = Web(assemble_app(replace(workspace, rules=rules), None, KnownUsers()))
    answer = send(to=strict)
    assert (answer.status_code, answer.json()["reason"]) == (422, "not_this_media")
    assert [one["rule"] for one in answer.json()["details"]["violations"]] == ["size"]
    assert_nothing_is_left(workspace)
