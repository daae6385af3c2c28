from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.lone_media import measure_lone_media, waiting_lone_media
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.intake.submit import create_post
from reelflow.services.uploads.media import delete_media
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.first_files import allow_no_process
from tests.intake_users import ANN, upload
from tests.left_behind import stored_keys
from tests.media_files import h264_mp4, short_mp4, truncated_mp4
from tests.photo_files import image
from tests.troubled_store import with_troubled_store

WISH = {"account": "acme", "privacy_level": "SELF_ONLY"}


def read_media(workspace: Workspace, media_id: str) -> Media:
    with workspace.ledger.read() as session:
        return session.get_one(Media, media_id)


@pytest.mark.parametrize(("name", "container"), [("clip.mp4", "mp4"), ("a.jpg", "jpeg")])
def test_what_a_file_is_and_a_picture_of_it_are_kept(
    workspace: Workspace, name: str, container: str
) -> None:
    content = h264_mp4().read_bytes() if container == "mp4" else image(size=(300, 200))
    media_id = upload(workspace, content=content, file_name=name).id
    assert waiting_lone_media(workspace) == [media_id]
    assert measure_lone_media(workspace, media_id)
    media = read_media(workspace, media_id)
    assert media.facts is not None
    assert (media.facts["container"], media.container) == (container, container)
    assert media.sha256 == hashlib.sha256(content).hexdigest()
    assert media.violations is None
    assert media.thumbnail_path == f"thumbnails/{media_id}.jpg"
    assert data_folder(workspace).path(media.thumbnail_path).read_bytes().startswith(b"\xff\xd8")
    assert media.validated_at is None  # that is for its post


@pytest.mark.parametrize(("make", "rule"), [(short_mp4, "duration"), (truncated_mp4, "truncated")])
def test_a_file_that_would_be_rejected_says_so_before_there_is_a_post(
    workspace: Workspace, make: Callable[[], Path], rule: str
) -> None:
    media_id = upload(workspace, content=make().read_bytes()).id
    assert measure_lone_media(workspace, media_id)
    media = read_media(workspace, media_id)
    assert rule in [broken["rule"] for broken in media.violations or ()]
    assert media.thumbnail_path is None


def test_a_file_is_looked_into_once(workspace: Workspace) -> None:
    media_id = upload(workspace, content=image(), file_name="a.jpg").id
    assert measure_lone_media(workspace, media_id)
    assert waiting_lone_media(workspace) == []
    assert not measure_lone_media(workspace, media_id)
    assert not measure_lone_media(workspace, "0" * 32)


def test_what_cannot_be_measured_is_left_to_its_post(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = upload(workspace, content=h264_mp4().read_bytes()).id
    allow_no_process(monkeypatch)
    assert measure_lone_media(workspace, media_id)
    media = read_media(workspace, media_id)
    assert (media.facts, media.violations) == (None, None)
    assert media.sha256 is not None
    assert waiting_lone_media(workspace) == []


@pytest.mark.parametrize("trouble", ["gone", "changed"])
def test_a_file_that_is_not_what_came_says_so_without_its_place(
    workspace: Workspace, trouble: str
) -> None:
    media_id = upload(workspace, content=image(), file_name="a.jpg").id
    path = data_folder(workspace).path(read_media(workspace, media_id).source_path)
    path.unlink()
    if trouble == "changed":
        path.write_bytes(image(shade=7))
    assert measure_lone_media(workspace, media_id)
    (broken,) = read_media(workspace, media_id).violations or ()
    assert broken["rule"] == "gone"
    assert str(path.parent) not in str(broken)


def test_what_belongs_to_a_post_or_the_inbox_is_left_to_their_stages(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account, validated=False)
    media_id = upload(workspace, content=image(), file_name="a.jpg").id
    with workspace.ledger.write() as session:
        wish = PostWish.parse(WISH, "image")
        media = [session.get_one(Media, media_id)]
        now = workspace.ledger.now()
        create_post(session, user=ANN, wish=wish, media=media, now=now, actor="tests")
        create_post(session, user=ANN, wish=wish, media=[], now=now, actor="tests")
    assert waiting_lone_media(workspace) == []


def test_a_file_that_is_deleted_meanwhile_leaves_no_picture(workspace: Workspace) -> None:
    media_id = upload(workspace, content=image(), file_name="a.jpg").id
    troubled, store = with_troubled_store(workspace)
    store.before_put = lambda _: delete_media(workspace, ANN, media_id)
    assert not measure_lone_media(troubled, media_id)
    assert stored_keys(workspace) == set()


def test_a_file_whose_row_goes_meanwhile_leaves_no_picture(workspace: Workspace) -> None:
    media_id = upload(workspace, content=image(), file_name="a.jpg").id
    troubled, store = with_troubled_store(workspace)

    def give_up(_: int) -> None:
        with workspace.ledger.write() as session:
            session.delete(session.get_one(Media, media_id))

    store.before_put = give_up
    assert not measure_lone_media(troubled, media_id)
    assert stored_keys(workspace) == {f"media/{media_id}.jpg"}


def test_its_post_validates_it_as_any_other_and_chooses_its_own_cover(
    workspace: Workspace, account: Account
) -> None:
    media_id = upload(workspace, content=h264_mp4().read_bytes()).id
    assert measure_lone_media(workspace, media_id)
    with workspace.ledger.write() as session:
        wish = PostWish.parse({**WISH, "cover_timestamp_ms": 1400}, "video")
        media, now = [session.get_one(Media, media_id)], workspace.ledger.now()
        post = create_post(session, user=ANN, wish=wish, media=media, now=now, actor="a").post
    assert read_media(workspace, media_id).thumbnail_path is None
    sha256 = validate(workspace, post.id, run_id="run", actor="run")
    media_row = read_media(workspace, media_id)
    assert (media_row.sha256, media_row.validated_at) == (sha256, now)
    extract_metadata(workspace, post.id, run_id="run")
    assert generate_thumbnail(workspace, post.id, run_id="run", actor="run") != ""
