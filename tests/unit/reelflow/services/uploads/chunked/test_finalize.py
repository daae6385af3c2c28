from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import delete

from reelflow.domain.content_types import MediaType
from reelflow.domain.post import PostKind, PostState, PrivacyLevel
from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import (
    AccountNotFoundError,
    MediaRejectedError,
    PostNotFoundError,
    ReelflowError,
    StorageAccessError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import create_post
from reelflow.services.uploads.chunked.finalize import Finished
from reelflow.services.uploads.chunked.sessions import cancel
from tests.chunked_uploads import ANNA, BEN, CHUNK, ROOT, WISH, Uploads, video_like
from tests.data_folder import data_folder
from tests.factories import Clock, change_post
from tests.frail_store import Died, FrailStore

CONTENT = video_like(CHUNK + 1000)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(1000)


def waiting_post(uploads: Uploads, *, media_type: str = "video") -> int:
    """Make a post that waits for its file; return its id."""
    ledger = uploads.workspace.ledger
    wish = PostWish.parse(WISH, media_type)
    with ledger.write() as session:
        post = create_post(
            session, user=uploads.user, wish=wish, media=[], now=ledger.now(), actor="tests"
        ).post
    assert (post.state, post.reason_code) == (PostState.HELD, "no_media")
    return post.id


def content_of(uploads: Uploads, media: Media) -> bytes:
    return data_folder(uploads.workspace).path(media.source_path).read_bytes()


def test_a_finished_upload_is_one_whole_file_with_a_media_row(
    uploads: Uploads, clock: Clock
) -> None:
    digest = sha256(CONTENT).hexdigest()
    upload_id = uploads.sent(CONTENT, file_name="dawn.mp4", sha256=digest)
    done = uploads.finalize(upload_id)
    media = done.media
    assert content_of(uploads, media) == CONTENT
    assert uploads.stored() == [media.source_path]
    assert (media.id, media.user_id, media.file_name) == (upload_id, "anna", "dawn.mp4")
    assert (media.size_bytes, media.declared_sha256) == (len(CONTENT), digest)
    info = uploads.workspace.folders.store.stat(media.source_path)
    assert info is not None
    assert media.source_identity == info.identity
    assert (done.post, done.is_new) == (None, True)
    assert uploads.use() == (1, len(CONTENT), 0, 0)


def test_finalizing_again_answers_the_same_and_makes_nothing_new(
    uploads: Uploads, account: Account
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    first, second = uploads.finalize(upload_id), uploads.finalize(upload_id)
    assert first.post is not None
    assert second.post is not None
    assert (second.media.id, second.post.id) == (first.media.id, first.post.id)
    assert (first.is_new, second.is_new) == (True, False)
    assert (uploads.count(Media), uploads.count(Post)) == (1, 1)
    assert uploads.use() == (1, len(CONTENT), 0, 0)


def test_a_post_is_made_of_the_file(uploads: Uploads, account: Account) -> None:
    post = uploads.finalize(uploads.sent(CONTENT, post=WISH)).post
    assert post is not None
    assert (post.state, post.user_id, post.caption) == (PostState.READY, "anna", "dawn")


def test_what_finalize_says_of_the_post_counts_before_what_init_said(
    uploads: Uploads, account: Account
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    done = uploads.finalize(upload_id, post={**WISH, "caption": "dusk"})
    assert done.post is not None
    assert done.post.caption == "dusk"


@pytest.mark.parametrize("when", ["init", "finalize"])
def test_a_post_that_waits_gets_the_file(uploads: Uploads, account: Account, when: str) -> None:
    post_id = waiting_post(uploads)
    at_init, at_end = ({"post_id": post_id}, {}) if when == "init" else ({}, {"post_id": post_id})
    done = uploads.finalize(uploads.sent(CONTENT, **at_init), **at_end)
    assert done.post is not None
    assert (done.post.id, done.post.state) == (post_id, PostState.READY)
    assert done.post.media.id == done.media.id


def test_a_photo_becomes_a_photo_post(uploads: Uploads, account: Account) -> None:
    photo = {"file_name": "a.jpg", "content_type": "image/jpeg", "media_type": MediaType.IMAGE}
    post = uploads.finalize(uploads.sent(JPEG, post=WISH, **photo)).post
    assert post is not None
    assert post.kind is PostKind.PHOTO


def test_missing_chunks_are_named_and_can_still_be_sent(uploads: Uploads) -> None:
    content = video_like(3 * CHUNK + 1)
    upload_id = uploads.open(content)
    uploads.send_all(upload_id, content, but=[1, 2])
    with pytest.raises(TerminalError, match="first is chunk 1") as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "chunks_missing"
    assert refused.value.context["missing"] == [[1, 2]]
    uploads.send_all(upload_id, content)
    assert content_of(uploads, uploads.finalize(upload_id).media) == content


@pytest.mark.parametrize(
    ("wanted", "error", "code"),
    [
        ({"post_id": 99}, PostNotFoundError, "post_not_found"),
        ({"post": {**WISH, "account": "nobody"}}, AccountNotFoundError, "account_not_found"),
        ({"post": {"account": "acme"}}, TerminalError, "invalid_post"),
        ({"post": {**WISH, "title": "x"}}, TerminalError, "invalid_post"),
    ],
)
def test_a_post_that_cannot_be_made_leaves_the_upload_open_and_whole(
    uploads: Uploads, account: Account, wanted: dict[str, Any], error: type[Exception], code: str
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    with pytest.raises(error) as refused:
        uploads.finalize(upload_id, **wanted)
    assert isinstance(refused.value, ReelflowError)
    assert refused.value.code == code
    assert uploads.state(upload_id) is SessionState.OPEN
    assert uploads.status(upload_id).missing == []
    assert uploads.finalize(upload_id).post is not None  # as init said


def test_a_post_of_somebody_else_gets_nothing(uploads: Uploads, account: Account) -> None:
    post_id = waiting_post(Uploads(uploads.workspace, BEN))
    with pytest.raises(PostNotFoundError):
        uploads.finalize(uploads.sent(CONTENT), post_id=post_id)


def test_a_wish_that_fails_at_the_very_end_can_be_mended(
    uploads: Uploads, account: Account, store: FrailStore
) -> None:
    """The post was cancelled while storage put the file together."""
    post_id = waiting_post(uploads)
    upload_id = uploads.sent(CONTENT, post_id=post_id)
    store.fail("after complete")
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    change_post(uploads.workspace, post_id, state=PostState.CANCELLED)
    with pytest.raises(ReelflowError, match="CANCELLED"):
        uploads.finalize(upload_id)
    assert uploads.state(upload_id) is SessionState.OPEN
    assert uploads.status(upload_id).missing == []
    done = uploads.finalize(upload_id, post=WISH)
    assert done.post is not None
    assert content_of(uploads, done.media) == CONTENT


@pytest.mark.parametrize("at", ["before complete", "after complete"])
def test_a_process_that_dies_while_it_finishes_is_gone_on_with(
    uploads: Uploads, account: Account, store: FrailStore, at: str
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    store.fail(at)
    with pytest.raises(Died):
        uploads.finalize(upload_id)
    assert uploads.state(upload_id) is SessionState.FINISHING
    assert uploads.status(upload_id).missing == []
    done = uploads.finalize(upload_id, post={**WISH, "caption": "too late"})
    assert done.post is not None
    assert done.post.caption == "dawn"
    assert (content_of(uploads, done.media), done.is_new) == (CONTENT, True)
    assert uploads.use() == (1, len(CONTENT), 0, 0)


@pytest.mark.parametrize("at", ["before complete", "after complete"])
def test_an_upload_that_is_cancelled_while_it_is_finished_leaves_nothing(
    uploads: Uploads, account: Account, store: FrailStore, at: str
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    store.meanwhile(at, partial(cancel, uploads.workspace, uploads.user, upload_id))
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "upload_not_found"
    assert (uploads.stored(), uploads.state(upload_id)) == ([], SessionState.CANCELLED)
    assert (uploads.count(Media), uploads.count(Post), uploads.use()) == (0, 0, (0, 0, 0, 0))


@pytest.mark.both_databases
@pytest.mark.parametrize("content", [CONTENT, b"<html>" + bytes(100)])
def test_a_file_that_is_there_only_after_its_upload_was_cancelled_goes(
    uploads: Uploads, store: FrailStore, content: bytes
) -> None:
    """Cancelled while S3 works on it: then there is nothing to abort, nor to delete."""
    upload_id = uploads.sent(content)
    store.aborts = False
    store.meanwhile("before complete", partial(cancel, uploads.workspace, uploads.user, upload_id))
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "upload_not_found"
    assert (uploads.stored(), uploads.state(upload_id)) == ([], SessionState.CANCELLED)


def test_a_file_that_another_finisher_wrote_down_stays(uploads: Uploads, store: FrailStore) -> None:
    upload_id = uploads.sent(CONTENT)

    def finish_and_forget() -> None:
        uploads.finalize(upload_id)
        with uploads.workspace.ledger.write() as session:
            session.execute(delete(UploadSession).where(UploadSession.id == upload_id))

    store.meanwhile("after complete", finish_and_forget)
    with pytest.raises(TerminalError):
        uploads.finalize(upload_id)
    assert uploads.stored() == [f"media/{upload_id}.mp4"]


@pytest.mark.parametrize("at", ["before complete", "after complete"])
def test_a_cancellation_that_dies_while_the_file_is_put_together_is_believed(
    uploads: Uploads, store: FrailStore, at: str
) -> None:
    """Its row says cancelled, but what it stored is there still."""
    upload_id = uploads.sent(CONTENT)
    store.meanwhile(at, partial(uploads.change, upload_id, state=SessionState.CANCELLED))
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "upload_not_found"
    assert uploads.count(Media) == 0


@pytest.mark.parametrize("error", [StorageUnavailableError("s3"), StorageAccessError("s3")])
def test_storage_that_refuses_leaves_the_upload_to_be_finished_later(
    uploads: Uploads, store: FrailStore, error: ReelflowError
) -> None:
    upload_id = uploads.sent(CONTENT)
    store.fail("before complete", error)
    with pytest.raises(type(error)):
        uploads.finalize(upload_id)
    assert content_of(uploads, uploads.finalize(upload_id).media) == CONTENT


@pytest.mark.parametrize(
    ("content", "announced", "rule"),
    [
        (JPEG, {}, "media_type"),
        (b"<html>" + bytes(100), {}, "type"),
        (CONTENT, {"content_type": "video/webm", "file_name": "a.webm"}, "content_type"),
        (CONTENT, {"content_type": "", "file_name": "a.mov"}, "extension"),
        (
            CONTENT,
            {"file_name": "a.jpg", "content_type": "image/jpeg", "media_type": MediaType.IMAGE},
            "media_type",
        ),
    ],
)
def test_a_file_that_is_not_what_it_was_announced_as_is_wholly_gone(
    uploads: Uploads, content: bytes, announced: dict[str, Any], rule: str
) -> None:
    upload_id = uploads.sent(content, **announced)
    said = []
    for _ in range(2):  # whoever missed the answer may ask again
        with pytest.raises(MediaRejectedError) as refused:
            uploads.finalize(upload_id)
        said.append((refused.value.code, str(refused.value), refused.value.violations))
    assert said[0] == said[1]
    assert said[0][0] == "not_this_media"
    assert rule in [violation["rule"] for violation in said[0][2]]
    assert (uploads.stored(), uploads.count(Media)) == ([], 0)
    assert uploads.use() == (0, 0, 0, 0)
    assert uploads.status(upload_id).missing == range(2 if len(content) > CHUNK else 1)


def test_bytes_that_are_a_post_already_give_that_post_and_keep_no_copy(
    uploads: Uploads, account: Account
) -> None:
    digest = sha256(CONTENT).hexdigest()
    first = uploads.finalize(uploads.sent(CONTENT, post=WISH, sha256=digest))
    upload_id = uploads.sent(CONTENT, post=WISH, sha256=digest)
    for _ in range(2):
        again = uploads.finalize(upload_id)
        assert again.post is not None
        assert first.post is not None
        assert (again.post.id, again.media.id) == (first.post.id, first.media.id)
        assert not again.is_new
    assert uploads.stored() == [first.media.source_path]
    assert uploads.use() == (1, len(CONTENT), 0, 0)
    assert uploads.status(upload_id).missing == ()


def test_bytes_that_are_a_post_of_somebody_else_are_refused_without_its_id(
    uploads: Uploads, account: Account
) -> None:
    digest = sha256(CONTENT).hexdigest()
    bens = Uploads(uploads.workspace, BEN)
    media_id = bens.finalize(bens.sent(CONTENT, post=WISH)).media.id
    with uploads.workspace.ledger.write() as session:
        session.get_one(Media, media_id).sha256 = digest  # it was read since
    upload_id = uploads.sent(CONTENT, sha256=digest)
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id, post=WISH)
    assert (refused.value.code, refused.value.context) == ("duplicate", {})
    assert uploads.state(upload_id) is SessionState.OPEN
    reposted = uploads.finalize(upload_id, post={**WISH, "repost": True})
    assert reposted.post is not None
    assert reposted.post.user_id == "anna"


def test_an_admin_finishes_somebody_elses_upload_in_that_users_name(
    uploads: Uploads, account: Account
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    done = Uploads(uploads.workspace, ROOT).finalize(upload_id)
    assert done.post is not None
    assert (done.media.user_id, done.post.user_id) == (ANNA.id, ANNA.id)


@pytest.mark.both_databases
def test_of_many_who_finalize_at_once_one_does_and_all_have_the_same_answer(
    uploads: Uploads, account: Account
) -> None:
    upload_id = uploads.sent(CONTENT, post=WISH)
    start, answers = Barrier(4), list[Finished]()

    def finish() -> None:
        start.wait()
        answers.append(uploads.finalize(upload_id))

    run_all(finish, 4)
    assert len(answers) == 4
    assert {done.media.id for done in answers} == {upload_id}
    assert len({done.post and done.post.id for done in answers}) == 1
    assert sum(done.is_new for done in answers) == 1
    assert (uploads.count(Media), uploads.count(Post)) == (1, 1)
    assert uploads.use() == (1, len(CONTENT), 0, 0)


def run_all(work: Callable[[], None], count: int) -> None:
    threads = [Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_privacy_is_never_chosen_for_the_creator(uploads: Uploads, account: Account) -> None:
    assert account.inbox_privacy_level is PrivacyLevel.SELF_ONLY
    with pytest.raises(TerminalError, match="privacy_level is missing"):
        uploads.open(CONTENT, post={"account": "acme"})


def test_an_expired_upload_is_not_finished(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.sent(CONTENT)
    clock.advance(timedelta(hours=1))
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "upload_expired"
