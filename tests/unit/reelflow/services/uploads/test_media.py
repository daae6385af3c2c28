from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.exceptions import ReelflowError, StorageUnavailableError, TerminalError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.rejection import reject
from reelflow.services.intake.submit import create_post
from reelflow.services.steering.commands import cancel
from reelflow.services.uploads.media import delete_media, find_media
from reelflow.services.uploads.sweep.expiry import expire_uploads, sweep_uploads
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR
from tests.intake_users import ADMIN, ANN, upload
from tests.left_behind import stored_keys
from tests.troubled_store import with_troubled_store

WISH = {"account": "acme", "privacy_level": "SELF_ONLY"}

pytestmark = pytest.mark.both_databases


def make_post_of(
    workspace: Workspace, *media_ids: str, media_type: str = "image", **fields: object
) -> Post:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        media = [session.get_one(Media, media_id) for media_id in media_ids]
        wish = PostWish.parse({**WISH, **fields}, media_type)
        return create_post(session, user=ANN, wish=wish, media=media, now=now, actor=ACTOR).post


def test_a_file_of_two_posts_waits_for_both(workspace: Workspace, account: Account) -> None:
    shared = upload(workspace, file_name="a.jpg").id
    other = upload(workspace, file_name="b.jpg").id
    first = make_post_of(workspace, shared)
    second = make_post_of(workspace, other, shared, repost=True)
    for post in (first, second):
        with pytest.raises(TerminalError) as caught:
            delete_media(workspace, ANN, shared)
        assert caught.value.code == "media_in_use"
        assert post.id in caught.value.context["posts"]
        cancel(workspace, post.id, actor=ACTOR)
    delete_media(workspace, ANN, shared)
    assert find_media(workspace, ANN, shared).media.deleted_at is not None
    assert find_media(workspace, ANN, shared).post_ids == [first.id, second.id]


def test_no_post_takes_a_file_that_is_being_deleted(workspace: Workspace, account: Account) -> None:
    media_id = upload(workspace, file_name="a.jpg").id
    troubled, store = with_troubled_store(workspace)
    codes = []

    def try_to_post() -> None:
        try:
            make_post_of(workspace, media_id)
        except ReelflowError as exc:
            codes.append(exc.code)

    store.before_delete = try_to_post
    delete_media(troubled, ANN, media_id)
    assert set(codes) == {"media_deleted"}
    with pytest.raises(TerminalError):
        find_media(workspace, ANN, media_id)


@pytest.mark.parametrize(
    "finish",
    [
        lambda workspace, media_id: delete_media(workspace, ANN, media_id),
        lambda workspace, media_id: delete_media(workspace, ADMIN, media_id),
        lambda workspace, _: expire_uploads(workspace, actor=ACTOR),
    ],
    ids=["asked again", "by an admin", "swept"],
)
def test_what_storage_kept_of_a_deletion_goes_with_the_next_try(
    workspace: Workspace, finish: Callable[[Workspace, str], object]
) -> None:
    media_id = upload(workspace, file_name="a.jpg").id
    workspace.folders.put_thumbnail(media_id, b"a picture")
    troubled, store = with_troubled_store(workspace)

    def refuse() -> None:
        raise StorageUnavailableError("cut")

    store.before_delete = refuse
    with pytest.raises(StorageUnavailableError):
        delete_media(troubled, ANN, media_id)
    with pytest.raises(TerminalError):
        find_media(workspace, ANN, media_id)
    assert len(stored_keys(workspace)) == 2
    finish(workspace, media_id)
    assert stored_keys(workspace) == set()


@pytest.mark.parametrize("names", [("a.mp4",), ("a.jpg", "b.jpg")], ids=["video", "photos"])
def test_of_rejected_files_that_are_deleted_nothing_stays_in_the_quarantine(
    workspace: Workspace, account: Account, names: tuple[str, ...]
) -> None:
    media_ids = [upload(workspace, file_name=name).id for name in names]
    media_type = "video" if len(names) == 1 else "image"
    post = make_post_of(workspace, *media_ids, media_type=media_type)
    told = {"rule": "size", "value": "1", "limit": "2", "fix": "export it again"}
    reject(workspace, post.id, [told], actor=ACTOR)
    assert f"quarantine/{account.name}/{post.id}.reason.json" in stored_keys(workspace)
    for media_id in media_ids:
        delete_media(workspace, ANN, media_id)
    assert stored_keys(workspace) == set()


def test_a_sweep_finishes_the_deletion_of_a_file_that_posts_know(
    workspace: Workspace, account: Account
) -> None:
    media_id = upload(workspace, file_name="a.jpg").id
    post = make_post_of(workspace, media_id)
    cancel(workspace, post.id, actor=ACTOR)
    with workspace.ledger.write() as session:
        session.get_one(Media, media_id).validated_at = workspace.ledger.now()
    troubled, store = with_troubled_store(workspace)

    def refuse() -> None:
        raise StorageUnavailableError("cut")

    store.before_delete = refuse
    with pytest.raises(StorageUnavailableError):
        delete_media(troubled, ANN, media_id)
    assert len(stored_keys(workspace)) == 1
    assert sweep_uploads(workspace, actor=ACTOR).deleted_media == [media_id]
    assert stored_keys(workspace) == set()
    assert sweep_uploads(workspace, actor=ACTOR).deleted_media == []


def test_a_file_that_cannot_be_deleted_now_stops_no_other_and_no_strays_do(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    media_ids = [upload(workspace).id for _ in range(3)]
    with workspace.ledger.write() as session:
        for media_id in media_ids:
            session.get_one(Media, media_id).deleting_since = workspace.ledger.now()
    troubled, store = with_troubled_store(workspace)
    refusals = iter([StorageUnavailableError("cut"), ValueError("a bug of ours")])

    def refuse() -> None:
        for error in refusals:
            raise error

    store.before_delete = refuse
    assert len(sweep_uploads(troubled, actor=ACTOR).deleted_media) == 1
    assert caplog.text.count("was not deleted, or not all of it") == 2
    assert len(sweep_uploads(troubled, actor=ACTOR).deleted_media) == 2
    assert stored_keys(workspace) == set()


def test_pictures_to_choose_from_go_with_their_file(workspace: Workspace) -> None:
    media_id = upload(workspace).id
    keys = [workspace.folders.put_candidate(media_id, number, b"jpeg") for number in (1, 2)]
    with workspace.ledger.write() as session:
        row = session.get_one(Media, media_id)
        row.candidates = [{"at_ms": 0, "key": key} for key in keys]
    assert data_folder(workspace).path(keys[0]).exists()
    delete_media(workspace, ANN, media_id)
    assert stored_keys(workspace) == set()
