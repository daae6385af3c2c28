from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.media_policy import INTAKE, TIKTOK
from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock, change_post
from tests.known_users import ANNA, BEN, CARL, ROOT
from tests.left_behind import assert_nothing_is_left, stored_keys
from tests.media_files import h264_mp4
from tests.photo_files import image
from tests.unit.reelflow.api.conftest import Web

MakePost = Callable[..., Post]


@pytest.fixture
def upload(web: Web) -> Callable[..., dict[str, Any]]:
    """Upload an image as Anna; return its record."""

    def upload(headers: dict[str, str] = ANNA) -> dict[str, Any]:
        file = ("a.jpg", image(), "image/jpeg")
        answer = web.post("/media/upload/simple", files={"file": file}, headers=headers)
        record: dict[str, Any] = answer.json()["media"]
        return record

    return upload


@pytest.fixture
def media_id(upload: Callable[..., dict[str, Any]]) -> str:
    """A file of Anna's that no post knows."""
    return str(upload()["media_id"])


@pytest.fixture
def posted(workspace: Workspace, account: Account, make_post: MakePost) -> Post:
    """A post of Anna's, of a validated video."""
    post = make_post(account, content=h264_mp4())
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).user_id = "anna"
    return change_post(workspace, post.id, user_id="anna")


def give_thumbnail(workspace: Workspace, media_id: str, jpeg: bytes) -> None:
    key = workspace.folders.put_thumbnail(media_id, jpeg)
    with workspace.ledger.write() as session:
        session.get_one(Media, media_id).thumbnail_path = key


def test_a_record_tells_what_a_file_is_and_who_publishes_it(web: Web, posted: Post) -> None:
    answer = web.get(f"/media/{posted.media_id}", headers=ANNA)
    assert answer.status_code == 200
    record = answer.json()
    assert (record["state"], record["posts"]) == ("ready", [posted.id])
    assert record["metadata"]["video_codec"] == "h264"
    assert record["violations"] == []
    own = f"/reelflow/api/v1/media/{posted.media_id}"
    assert record["links"] == {
        "self": own,
        "thumbnail": f"{own}/thumbnail",
        "metadata": f"{own}/metadata",
    }
    metadata = web.get(f"/media/{posted.media_id}/metadata", headers=ANNA)
    assert metadata.json() == record["metadata"]


def test_what_is_not_measured_yet_says_so(web: Web, media_id: str) -> None:
    record = web.get(f"/media/{media_id}", headers=ANNA).json()
    assert (record["state"], record["metadata"]) == ("awaiting_checks", None)
    for part in ("metadata", "thumbnail"):
        answer = web.get(f"/media/{media_id}/{part}", headers=ANNA)
        assert (answer.status_code, answer.json()["reason"]) == (404, "not_made_yet")


def test_a_rejected_file_says_which_rules_it_breaks(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    broken = {"rule": "size", "value": "2", "limit": "1", "fix": "shrink it"}
    with workspace.ledger.write() as session:
        session.get_one(Media, media_id).violations = [broken]
    record = web.get(f"/media/{media_id}", headers=ANNA).json()
    assert (record["state"], record["violations"]) == ("rejected", [broken])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/media/{}"),
        ("GET", "/media/{}/metadata"),
        ("GET", "/media/{}/thumbnail"),
        ("HEAD", "/media/{}/thumbnail"),
        ("DELETE", "/media/{}"),
    ],
)
def test_somebody_elses_file_is_no_file_and_an_admins_is(
    web: Web, workspace: Workspace, media_id: str, method: str, path: str
) -> None:
    give_thumbnail(workspace, media_id, b"a picture")
    unknown = web.request(method, path.format("0" * 32), headers=BEN)
    foreign = web.request(method, path.format(media_id), headers=BEN)
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    assert web.request(method, path.format(media_id)).status_code == 401
    assert web.request(method, path.format(media_id), headers=ROOT).status_code != 403
    assert web.request(method, path.format("../x%00"), headers=ROOT).status_code == 404


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["%00", "%ff", "x", "x" * 5000, "%F0%9F%98%80", "'--"])
def test_what_is_no_id_is_no_file(web: Web, name: str) -> None:
    for method, part in (("GET", ""), ("GET", "/thumbnail"), ("GET", "/metadata"), ("DELETE", "")):
        answer = web.request(method, f"/media/{name}{part}", headers=ROOT)
        assert (answer.status_code, answer.json()["reason"]) == (404, "media_not_found")


def test_what_came_by_the_inbox_is_for_admins(
    web: Web, account: Account, make_post: MakePost
) -> None:
    path = f"/media/{make_post(account).media_id}"
    assert web.get(path, headers=ANNA).status_code == 404
    assert web.get(path, headers=ROOT).status_code == 200


def test_what_an_upload_is_awaited_for_is_no_file(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    with workspace.ledger.write() as session:
        session.get_one(Media, media_id).awaited = True
    assert web.get(f"/media/{media_id}", headers=ANNA).status_code == 404


def test_a_thumbnail_is_a_picture_and_nothing_else(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    jpeg = image(shade=9)
    give_thumbnail(workspace, media_id, jpeg)
    answer = web.get(f"/media/{media_id}/thumbnail", headers=CARL | ROOT)
    assert (answer.status_code, answer.content) == (200, jpeg)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == f'inline; filename="{media_id}.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = web.head(f"/media/{media_id}/thumbnail", headers=ROOT)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers} == {**answer.headers}


def test_a_thumbnail_that_is_known_is_not_sent_again(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    path = f"/media/{media_id}/thumbnail"
    give_thumbnail(workspace, media_id, image(shade=9))
    etag = web.get(path, headers=ANNA).headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        answer = web.get(path, headers={**ANNA, "If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert web.get(path, headers={**ANNA, "If-None-Match": '"x"'}).status_code == 200
    give_thumbnail(workspace, media_id, image(shade=10, size=(200, 100)))
    assert web.get(path, headers={**ANNA, "If-None-Match": etag}).status_code == 200


def test_a_deleted_file_leaves_nothing_and_is_no_file_any_more(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    give_thumbnail(workspace, media_id, b"a picture")
    workspace.folders.put_prepared(media_id, b"a copy")
    answer = web.delete(f"/media/{media_id}", headers=ANNA)
    assert (answer.status_code, answer.content) == (204, b"")
    assert stored_keys(workspace) == set()
    for method in ("GET", "DELETE"):
        again = web.request(method, f"/media/{media_id}", headers=ANNA)
        assert (again.status_code, again.json()["reason"]) == (404, "media_not_found")


def test_who_may_only_read_deletes_nothing(web: Web, media_id: str) -> None:
    assert web.delete(f"/media/{media_id}", headers=CARL).status_code == 403


@pytest.mark.parametrize("state", list(PostState))
def test_a_file_is_deleted_once_every_post_on_it_allows_it(
    web: Web, workspace: Workspace, posted: Post, state: PostState
) -> None:
    change_post(workspace, posted.id, state=state)
    answer = web.delete(f"/media/{posted.media_id}", headers=ANNA)
    source = data_folder(workspace).path(posted.media.source_path)
    if state in ("PUBLISHED", "PUBLISHED_NO_LINK", "IN_INBOX", "REJECTED", "FAILED", "CANCELLED"):
        assert (answer.status_code, source.exists()) == (204, False)
        record = web.get(f"/media/{posted.media_id}", headers=ANNA).json()
        assert (record["state"], record["posts"]) == ("deleted", [posted.id])
    else:
        assert (answer.status_code, answer.json()["reason"]) == (409, "media_in_use")
        assert answer.json()["details"]["posts"] == [posted.id]
        assert source.exists()


def test_posts_of_others_keep_a_file_without_being_named(
    web: Web, workspace: Workspace, posted: Post
) -> None:
    change_post(workspace, posted.id, user_id="root", state=PostState.HELD)
    path = f"/media/{posted.media_id}"
    assert web.get(path, headers=ROOT).json()["posts"] == [posted.id]
    assert web.delete(path, headers=ROOT).json()["details"]["posts"] == [posted.id]
    assert web.get(path, headers=ANNA).json()["posts"] == []
    answer = web.delete(path, headers=ANNA)
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (409, "media_in_use")
    assert problem["details"]["posts"] == []
    assert problem["message"] == (
        f"the file {posted.media_id} is needed by a post of somebody else: wait until it is "
        "published or cancelled"
    )


def test_formats_are_told_as_the_policies_in_force_say(web: Web) -> None:
    told = web.get("/media/supported-formats", headers=CARL).json()
    allowed = INTAKE.narrowed_by(TIKTOK)
    assert [one["container"] for one in told["video"]["formats"]] == list(allowed.containers)
    limits = {name: value for name, value in told["video"].items() if name != "formats"}
    codecs = limits.pop("video_codecs")
    assert limits == {name: getattr(allowed, name) for name in limits}
    assert codecs == (None if allowed.video_codecs is None else list(allowed.video_codecs))
    assert [one["content_type"] for one in told["image"].pop("formats")] == [
        "image/jpeg",
        "image/png",
        "image/webp",
    ]
    assert told["image"] == {
        "max_size_bytes": 20_000_000,
        "min_side_px": 100,
        "max_long_side_px": 4096,
        "max_short_side_px": 4096,
        "max_images_per_post": 35,
        "max_images_per_batch": 10,
    }
    assert told["upload"] == {
        "simple_max_size_bytes": 49_999_999,
        "direct_max_size_bytes": 2_000_000_000,
        "min_chunk_size_bytes": 5 * 1024 * 1024,
        "max_chunk_size_bytes": 64 * 1024 * 1024,
        "default_chunk_size_bytes": 8 * 1024 * 1024,
        "session_lifetime_s": 3600,
    }
    assert web.get("/media/supported-formats").status_code == 401


def test_an_admin_sweeps_what_is_overdue_and_learns_what_was(
    web: Web, workspace: Workspace, clock: Clock
) -> None:
    announced = {
        "file_name": "clip.mp4",
        "file_size": 6_000_000,
        "content_type": "video/mp4",
        "media_type": "video",
    }
    opened = web.post("/media/upload/init", json=announced, headers=ANNA)
    assert web.post("/media/cleanup/expired", headers=ANNA).status_code == 403
    early = web.post("/media/cleanup/expired", headers=ROOT)
    assert early.json() == {"expired_uploads": [], "deleted_media": []}
    clock.advance(timedelta(hours=2, seconds=1))
    swept = web.post("/media/cleanup/expired", headers=ROOT)
    assert swept.json()["expired_uploads"] == [opened.json()["upload_id"]]
    assert_nothing_is_left(workspace)


def test_a_sweep_finishes_deletions_that_a_crash_cut_short(
    web: Web, workspace: Workspace, media_id: str
) -> None:
    with workspace.ledger.write() as session:
        media = session.get_one(Media, media_id)
        media.deleted_at = media.deleting_since = workspace.ledger.now()
    assert web.get(f"/media/{media_id}", headers=ANNA).status_code == 404
    swept = web.post("/media/cleanup/expired", headers=ROOT)
    assert swept.json()["deleted_media"] == [media_id]
    assert stored_keys(workspace) == set()
    again = web.post("/media/cleanup/expired", headers=ROOT)
    assert again.json()["deleted_media"] == []
