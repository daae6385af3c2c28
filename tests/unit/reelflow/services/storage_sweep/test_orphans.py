"""Orphans: old objects in our folders that no row names are found, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.rejection import reject
from reelflow.services.storage_sweep.found import Found
from reelflow.services.storage_sweep.orphans import delete_orphan, find_orphans
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock, change_post, make_upload_session
from tests.intake_users import upload
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
OLD = timedelta(days=3)
ID = "0c9e" * 8


@pytest.fixture
def live(account: Account, make_post: MakePost) -> Post:
    """A post with its file, so that the ledger is older than what is put next."""
    return make_post(account)


def put(workspace: Workspace, key: str) -> str:
    workspace.folders.store.put(key, b"bytes", size_bytes=5)
    return key


def orphans(workspace: Workspace) -> list[str]:
    return [one.key for one in find_orphans(workspace)]


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    "key",
    [
        f"media/{ID}.mp4",
        f"media/{ID}.mp4.json",
        f"media/{ID}",
        f"prepared/{ID}.jpg",
        f"thumbnails/{ID}.jpg",
        f"thumbnails/{ID}-3.jpg",
        f"dashboard-uploads/anna/{ID}.mp4",
        "quarantine/acme/999.mp4",
        "quarantine/acme/999.reason.json",
        "quarantine/acme/999/001.jpg",
        f"doctor/{ID}-moved",
    ],
)
def test_an_object_that_no_row_names_goes_once_it_is_two_days_old(
    workspace: Workspace, clock: Clock, key: str
) -> None:
    put(workspace, key)
    clock.advance(timedelta(days=2))
    assert orphans(workspace) == []
    clock.advance(timedelta(hours=1, minutes=1))  # the clock is behind the machine's by an hour
    (found,) = find_orphans(workspace)
    assert (found.key, found.size_bytes, found.media_id) == (key, 5, None)
    assert delete_orphan(workspace, found)
    assert orphans(workspace) == []
    assert not delete_orphan(workspace, found)


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    "key",
    [
        "media/readme.txt",
        f"media/{'F' * 32}.mp4",
        f"media/{ID}0.mp4",
        f"media/copies/{ID}.mp4",
        "quarantine/readme.txt",
        "quarantine/acme/clip.mp4",
        "quarantine/acme/012.mp4",
        "quarantine/acme/12/a/b.jpg",
        f"inbox/acme/{ID}.mp4",
        f"direct-uploads/anna/{ID}.mp4",
        f"elsewhere/{ID}.mp4",
        f"{ID}.mp4",
    ],
)
def test_what_is_not_named_as_ours_or_lies_elsewhere_stays(
    workspace: Workspace, clock: Clock, key: str
) -> None:
    put(workspace, key)
    clock.advance(OLD)
    assert orphans(workspace) == []


def test_all_that_has_the_id_of_a_file_or_of_an_upload_stays(
    workspace: Workspace, clock: Clock, live: Post
) -> None:
    begun = make_upload_session(workspace)
    for media_id in (live.media_id, upload(workspace).id, begun.id):
        for key in (f"media/{media_id}.mp4", f"prepared/{media_id}.jpg"):
            put(workspace, key)
        put(workspace, f"thumbnails/{media_id}-9.jpg")
    clock.advance(OLD)
    assert orphans(workspace) == []


def test_of_a_deleted_file_only_the_pictures_that_its_row_names_stay(
    workspace: Workspace, clock: Clock, live: Post
) -> None:
    named, left = (put(workspace, f"thumbnails/{live.media_id}{end}.jpg") for end in ("", "-2"))
    with workspace.ledger.write() as session:
        media = session.get_one(Media, live.media_id)
        media.thumbnail_path, media.deleted_at = named, clock()
    clock.advance(OLD)
    assert orphans(workspace) == []  # its post is READY: whatever its row says, nothing goes
    change_post(workspace, live.id, state=PostState.PUBLISHED)
    assert orphans(workspace) == [live.media.source_path, left]
    with workspace.ledger.write() as session:
        session.get_one(Media, live.media_id).deleting_since = clock()
    assert orphans(workspace) == []  # who deletes it has not come to an end


def test_a_file_on_its_way_into_the_quarantine_stays(
    workspace: Workspace, clock: Clock, live: Post
) -> None:
    store = workspace.folders.store
    store.move(live.media.source_path, f"quarantine/acme/{live.id}.mp4")  # and then it died
    put(workspace, f"quarantine/acme/{live.id}.reason.json")
    clock.advance(OLD)
    assert orphans(workspace) == []


def test_why_a_post_was_rejected_goes_once_its_file_is_gone(
    workspace: Workspace, clock: Clock, live: Post
) -> None:
    violation = {"rule": "codec", "value": "av1", "limit": "h264", "fix": "convert it"}
    reject(workspace, live.id, [violation], actor="tests")
    clock.advance(OLD)
    assert orphans(workspace) == []
    with workspace.ledger.write() as session:
        session.get_one(Media, live.media_id).deleted_at = clock()
    workspace.folders.store.delete(f"quarantine/acme/{live.id}.mp4")
    assert orphans(workspace) == [f"quarantine/acme/{live.id}.reason.json"]


def test_nothing_is_deleted_under_a_ledger_that_is_younger_than_it(
    workspace: Workspace, clock: Clock
) -> None:
    put(workspace, f"media/{ID}.mp4")
    clock.advance(OLD)
    assert orphans(workspace) == []  # the ledger is empty: it may be the wrong one
    upload(workspace)
    clock.advance(OLD)
    assert orphans(workspace) == []


def test_what_is_a_link_stays(workspace: Workspace, clock: Clock, live: Post) -> None:
    folder = data_folder(workspace)
    (folder.media / f"{ID}.mp4").symlink_to(folder.path(live.media.source_path))
    clock.advance(OLD)
    assert orphans(workspace) == []


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("how", ["row", "bytes"])
def test_an_object_that_somebody_needs_by_then_stays(
    workspace: Workspace, clock: Clock, how: str
) -> None:
    key = put(workspace, f"media/{ID}.mp4")
    clock.advance(OLD)
    found: Found = next(find_orphans(workspace))
    if how == "row":
        make_upload_session(workspace, id=ID)
    else:
        put(workspace, key)
    assert not delete_orphan(workspace, found)
    assert data_folder(workspace).path(key).exists()
