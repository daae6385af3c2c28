from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import httpx
import pytest

from reelflow.domain.post import PostKind
from reelflow.ledger import photo_images, quotas
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR
from tests.known_users import ANNA, CARL
from tests.left_behind import assert_nothing_is_left
from tests.photo_files import image
from tests.unit.reelflow.api.conftest import Web

PATH = "/media/upload/images"
WISH = {"account": "acme", "title": "The trail", "privacy_level": "SELF_ONLY", "cover_index": 1}

Image = tuple[str, bytes, str]
Send = Callable[..., httpx.Response]


def images(count: int) -> list[Image]:
    return [(f"{n}.jpg", image(shade=n), "image/jpeg") for n in range(1, count + 1)]


@pytest.fixture
def send(web: Web) -> Send:
    """Send images as Anna does, unless told otherwise."""

    def send(
        sent: Sequence[Image], *, headers: dict[str, str] = ANNA, **fields: str
    ) -> httpx.Response:
        files = [("images", one) for one in sent]
        return web.post(PATH, files=files, data=fields, headers=headers)

    return send


def stored(workspace: Workspace, answer: httpx.Response) -> list[bytes]:
    """Return the contents of what an answer tells of, in its order."""
    ids = [media["media_id"] for media in answer.json()["media"]]
    with workspace.ledger.read() as session:
        keys = [session.get_one(Media, media_id).source_path for media_id in ids]
    return [data_folder(workspace).path(key).read_bytes() for key in keys]


def test_ten_images_are_kept_in_their_order_without_a_post(
    send: Send, workspace: Workspace
) -> None:
    sent = images(10)
    answer = send(sent)
    assert answer.status_code == 201
    assert stored(workspace, answer) == [content for _, content, _ in sent]
    assert answer.json()["post"] is None
    assert {media["media_type"] for media in answer.json()["media"]} == {"image"}


def test_a_batch_makes_a_photo_post_in_its_order(
    send: Send, workspace: Workspace, account: Account
) -> None:
    answer = send([*images(3)[::-1]], post=json.dumps(WISH))
    assert answer.status_code == 201
    ((post_id,),) = {tuple(media["posts"]) for media in answer.json()["media"]}
    with workspace.ledger.read() as session:
        post = session.get_one(Post, post_id)
        files = photo_images.media_of(session, post)
    assert (post.kind, post.title, post.photo_cover_index) == (PostKind.PHOTO, "The trail", 1)
    assert [one.file_name for one in files] == ["3.jpg", "2.jpg", "1.jpg"]


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (("5.jpg", b"plain words", "image/jpeg"), "photo_type"),
        (("5.jpg", b"", "image/jpeg"), "empty"),
        (("5.jpg", image("PNG"), "image/jpeg"), "content_type"),
        (("5.webm", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm", "video/webm"), "media_type"),
        (("5.gif", b"GIF89a" + bytes(100), "image/gif"), "photo_type"),
    ],
)
def test_one_bad_image_among_ten_refuses_all_and_is_named(
    send: Send, workspace: Workspace, account: Account, bad: Image, rule: str
) -> None:
    answer = send([*images(4), bad, *images(5)], post=json.dumps(WISH))
    assert (answer.status_code, answer.json()["reason"]) == (422, "not_this_media")
    violations = answer.json()["details"]["violations"]
    assert violations[0]["rule"] == rule
    assert all(one["value"].startswith("5.") for one in violations)
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    ("sent", "fields", "status", "reason"),
    [
        (images(11), {}, 422, "too_many_parts"),
        (images(1), {"media_type": "image"}, 422, "invalid_request"),
        (images(1), {"post_id": "4711"}, 404, "post_not_found"),
        (images(2), {"post": json.dumps({**WISH, "cover_index": 2})}, 422, "invalid_post"),
        (images(1), {"post": json.dumps({**WISH, "disable_duet": True})}, 422, "invalid_post"),
        ([("a.jpg", bytes(20_000_001), "image/jpeg")], {}, 413, "file_too_large"),
    ],
)
def test_what_is_wrong_has_its_status_and_slug_and_leaves_nothing(
    send: Send,
    workspace: Workspace,
    account: Account,
    sent: list[Image],
    fields: dict[str, str],
    status: int,
    reason: str,
) -> None:
    answer = send(sent, **fields)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert_nothing_is_left(workspace)


def test_who_may_only_read_sends_nothing(send: Send, workspace: Workspace) -> None:
    assert send(images(1), headers=CARL).status_code == 403
    assert_nothing_is_left(workspace)


def test_a_quota_of_nine_takes_no_part_of_ten(send: Send, workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        quotas.store(session, "anna", uploads_per_day=9, bytes_per_day=None, now=now, actor=ACTOR)
    assert send(images(10)).json()["reason"] == "quota_exceeded"
    assert_nothing_is_left(workspace)
    assert send(images(9)).status_code == 201
