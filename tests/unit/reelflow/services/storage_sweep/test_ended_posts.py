"""Files of ended posts: they go after the retention time, and only if no post needs them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostKind, PostState
from reelflow.exceptions import MediaUnreadableError
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Media, PhotoImage, Post
from reelflow.services.intake.rejection import reject
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.steering.commands import retry
from reelflow.services.storage_sweep.ended_posts import delete_ended, find_ended
from reelflow.services.storage_sweep.found import Found, Reason
from reelflow.services.uploads.media import finish_deletions
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock, change_post, make_upload_session, read_post
from tests.frail_store import Died, with_frail_store
from tests.left_behind import stored_keys
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S = PostState
ENDED = (S.REJECTED, S.FAILED, S.CANCELLED)
RETENTION = timedelta(days=30)
LATER = RETENTION + timedelta(hours=1)
VIOLATION = {"rule": "codec", "value": "av1", "limit": "h264", "fix": "convert it"}


def find(workspace: Workspace) -> list[Found]:
    return find_ended(workspace, limit=100)


def sweep(workspace: Workspace) -> list[str]:
    return [one.key for one in find(workspace) if delete_ended(workspace, one, actor="sweep")]


def share(workspace: Workspace, media_id: str, *posts: Post) -> None:
    with workspace.ledger.write() as session:
        for post in posts:
            session.get_one(Post, post.id).media_id = media_id


@pytest.mark.parametrize("state", PostState)
def test_a_file_goes_only_if_its_post_ended_and_nobody_has_it(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    clock.advance(LATER)
    gone = sweep(workspace)
    assert gone == ([post.media.source_path] if state in ENDED else [])
    assert data_folder(workspace).path(post.media.source_path).exists() is (state not in ENDED)


def test_a_file_is_kept_for_the_retention_time(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    make_post(account, state=S.FAILED)
    clock.advance(RETENTION)
    assert find(workspace) == []
    clock.advance(timedelta(seconds=1))
    assert len(find(workspace)) == 1


@pytest.mark.parametrize("other", sorted(set(PostState) - {*ENDED}))
def test_a_file_that_another_post_has_stays_unless_that_is_done(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost, other: PostState
) -> None:
    post, needing = make_post(account, state=S.FAILED), make_post(account, state=other)
    share(workspace, post.media_id, needing)
    clock.advance(LATER)
    is_done = other in (S.PUBLISHED, S.PUBLISHED_NO_LINK, S.IN_INBOX)
    assert sweep(workspace) == ([post.media.source_path] if is_done else [])


def test_the_retention_time_begins_when_the_last_of_its_posts_ended(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.FAILED)
    clock.advance(RETENTION)
    share(workspace, post.media_id, make_post(account, state=S.CANCELLED))
    clock.advance(timedelta(days=1))
    assert find(workspace) == []


def test_an_image_of_a_photo_post_that_may_go_out_stays(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    image = make_post(account, state=S.FAILED, file_name="a.jpg")
    photos = make_post(account, state=S.MISSED, kind=PostKind.PHOTO, file_name="b.jpg")
    with workspace.ledger.write() as session:
        for number, media_id in enumerate((photos.media_id, image.media_id)):
            session.add(PhotoImage(post_id=photos.id, ordinal=number, media_id=media_id))
    clock.advance(LATER)
    assert sweep(workspace) == []
    change_post(workspace, photos.id, state=S.CANCELLED)
    assert set(sweep(workspace)) == {photos.media.source_path, image.media.source_path}
    assert read_post(workspace, photos.id).source_settled_at is not None


def test_a_file_that_is_just_uploaded_again_stays(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.FAILED)
    clock.advance(LATER)
    make_upload_session(workspace, id=post.media_id)
    assert find(workspace) == []


def test_a_file_that_is_still_in_the_inbox_stays(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.CANCELLED)
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).moved_at = None
    clock.advance(LATER)
    assert find(workspace) == []


def test_a_rejected_file_leaves_the_quarantine_with_its_reasons_and_pictures(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    picture = workspace.folders.put_thumbnail(post.media_id, b"jpeg")
    reject(workspace, post.id, [VIOLATION], actor="tests")
    key = f"quarantine/acme/{post.id}.mp4"
    assert stored_keys(workspace) == {key, f"quarantine/acme/{post.id}.reason.json", picture}
    clock.advance(LATER)
    (found,) = find(workspace)
    assert (found.key, found.reason, found.post_ids) == (key, Reason.QUARANTINE, [post.id])
    assert found.size_bytes == post.media.size_bytes
    assert delete_ended(workspace, found, actor="sweep")
    assert stored_keys(workspace) == set()


def test_its_post_tells_that_the_file_went_and_cannot_be_tried_again(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.FAILED)
    clock.advance(LATER)
    sweep(workspace)
    with workspace.ledger.read() as session:
        last = audit.story(session, post.id)[-1]
    why = "its file clip.mp4 was deleted: its last post ended over 30 days ago"
    assert (last.actor, last.why, last.to_state) == ("sweep", why, None)
    assert read_post(workspace, post.id).source_settled_at == clock()
    with pytest.raises(MediaUnreadableError, match="is gone"):
        retry(workspace, post.id, actor="tests")
    assert return_stalled_uploads(workspace, actor="tests") == []


def test_a_file_whose_post_is_tried_again_before_it_is_deleted_stays(
    workspace: Workspace, clock: Clock, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.FAILED)
    clock.advance(LATER)
    (found,) = find(workspace)
    retry(workspace, post.id, actor="tests")
    assert not delete_ended(workspace, found, actor="sweep")
    change_post(workspace, post.id, state=S.FAILED)
    share(workspace, post.media_id, make_post(account))
    assert not delete_ended(workspace, found, actor="sweep")
    assert data_folder(workspace).path(post.media.source_path).exists()


@pytest.mark.parametrize("finish", [sweep, finish_deletions])
def test_a_crash_after_the_mark_is_finished_by_the_next_sweep_or_by_that_of_uploads(
    workspace: Workspace,
    clock: Clock,
    account: Account,
    make_post: MakePost,
    finish: Callable[[Workspace], list[str]],
) -> None:
    post = make_post(account, state=S.FAILED)
    clock.advance(LATER)
    dying, store = with_frail_store(workspace)
    store.fail("before delete")
    with pytest.raises(Died):
        sweep(dying)
    with pytest.raises(MediaUnreadableError, match="is gone"):
        retry(workspace, post.id, actor="tests")
    assert len(finish(workspace)) == 1
    assert stored_keys(workspace) == set()
    assert find(workspace) == []
    with workspace.ledger.read() as session:
        told = [entry for entry in audit.story(session, post.id) if entry.actor == "sweep"]
    assert len(told) == 1
