"""Finishing a post: its source goes when nothing needs it, and it is announced."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import DONE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import publications
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.cleanup import announcement, clean_up_files, mark_announced
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import create_post
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import Clock, change_post, read_post
from tests.intake_users import ANN, upload
from tests.left_behind import stored_keys

MakePost = Callable[..., Post]


@pytest.mark.parametrize("state", PostState)
def test_a_source_is_deleted_only_when_its_post_is_done(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    source = data_folder(workspace).path(post.media.source_path)
    assert clean_up_files(workspace, post.id) is (state in DONE)
    assert source.exists() is (state not in DONE)
    assert (read_post(workspace, post.id).media.deleted_at is not None) is (state in DONE)
    assert clean_up_files(workspace, post.id) is (state in DONE)


@pytest.mark.parametrize("other", sorted(set(PostState) - DONE))
def test_a_source_that_another_post_needs_is_kept(
    workspace: Workspace, account: Account, make_post: MakePost, other: PostState
) -> None:
    done = make_post(account, state=PostState.PUBLISHED)
    needing = make_post(account, state=other)
    with workspace.ledger.write() as session:
        session.get_one(Post, needing.id).media = session.get_one(Media, done.media_id)
    source = data_folder(workspace).path(done.media.source_path)
    assert not clean_up_files(workspace, done.id)
    assert source.exists()
    change_post(workspace, needing.id, state=PostState.IN_INBOX)
    assert clean_up_files(workspace, done.id)
    assert not source.exists()


def test_a_crash_between_deleting_and_its_row_is_finished(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.PUBLISHED)
    workspace.folders.delete_source(post.media.source_path)
    assert clean_up_files(workspace, post.id)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("by_form", [False, True])
def test_the_copy_of_a_photo_stays_only_where_the_photo_came_by_a_form(
    workspace: Workspace, by_form: bool
) -> None:
    media = upload(workspace, file_name="a.jpg", by_form=by_form)
    wish = PostWish.parse({"account": "acme", "privacy_level": "SELF_ONLY"}, "image")
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        made = create_post(session, user=ANN, wish=wish, media=[media], now=now, actor=ANN.actor)
    copy = workspace.folders.put_prepared(media.id, b"copy").key
    change_post(workspace, made.post.id, state=PostState.PUBLISHED)
    assert clean_up_files(workspace, made.post.id)
    assert stored_keys(workspace) == ({copy} if by_form else set())


def give_candidates(workspace: Workspace, post: Post, count: int) -> list[Path]:
    """Give a post's video pictures to choose its cover from; return their files."""
    folders = workspace.folders
    keys = [folders.put_candidate(post.media_id, number, b"jpeg") for number in range(count)]
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        media.candidates = [{"at_ms": 0, "key": key} for key in keys]
        media.thumbnail_path = folders.put_thumbnail(post.media_id, b"jpeg")
    return [data_folder(workspace).path(key) for key in keys]


def test_the_pictures_to_choose_a_cover_from_go_with_the_source_and_the_cover_stays(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.FAILED)
    candidates = give_candidates(workspace, post, 4)
    clean_up_files(workspace, post.id)
    assert all(path.exists() for path in candidates)  # it may be tried again
    change_post(workspace, post.id, state=PostState.PUBLISHED)
    assert clean_up_files(workspace, post.id)
    assert not any(path.exists() for path in candidates)
    media = read_post(workspace, post.id).media
    assert (media.candidates, media.deleted_at is None) == (None, False)
    assert data_folder(workspace).path(str(media.thumbnail_path)).exists()


def test_pictures_that_are_made_during_a_clean_up_are_deleted_by_the_next(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.PUBLISHED)
    made: list[Path] = []

    def prepare() -> None:
        made.extend(give_candidates(workspace, post, 4))

    # Right after the clean-up looked which pictures there are.
    with before_statement(workspace, "SELECT posts.id, posts.state", prepare):
        assert not clean_up_files(workspace, post.id)
    assert all(path.exists() for path in made)
    assert clean_up_files(workspace, post.id)
    assert made
    assert not any(path.exists() for path in made)


def published(workspace: Workspace, post: Post) -> None:
    with workspace.ledger.write() as session:
        row = publications.open_new(
            session, post.id, plan=TikTokLimits().plan(1000), now=workspace.ledger.now()
        )
        row.state, row.publish_id, row.tiktok_post_id = PublicationState.DONE, "v_pub~1", "77"


def test_a_post_is_announced_with_what_others_need_until_it_was(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=PostState.PUBLISHED)
    published(workspace, post)
    news = announcement(workspace, post.id)
    assert news is not None
    assert (news.post_id, news.account, news.state) == (post.id, "acme", "PUBLISHED")
    assert (news.publish_id, news.tiktok_post_id) == ("v_pub~1", "77")
    assert (news.sha256, news.size_bytes) == (post.sha256, 1000)
    assert announcement(workspace, post.id) == news
    mark_announced(workspace, [post.id])
    first = read_post(workspace, post.id).announced_at
    clock.advance(timedelta(minutes=1))
    mark_announced(workspace, [post.id])
    assert announcement(workspace, post.id) is None
    assert read_post(workspace, post.id).announced_at == first


@pytest.mark.parametrize("state", sorted(set(PostState) - DONE))
def test_what_is_not_done_is_not_announced(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    published(workspace, post)
    assert announcement(workspace, post.id) is None
