from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.content_types import MediaType
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.user import Scope, User
from reelflow.exceptions import (
    IllegalTransitionError,
    LedgerLockedError,
    MediaRejectedError,
    QuotaExceededError,
    ReelflowError,
    StorageAccessError,
    StorageFullError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.ledger import photo_images
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import create_post
from reelflow.services.steering.commands import cancel
from reelflow.services.uploads.chunked.finalize import PostWanted
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.uploads.whole.files import WholeFile, take_files
from reelflow.services.uploads.whole.rows import Taken
from reelflow.services.uploads.whole.spool import open_spool
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import ACTOR, Clock, open_ledger, read_post
from tests.full_disk import fill_disk
from tests.intake_users import limit_user
from tests.left_behind import (
    assert_nothing_is_left,
    media_ids,
    reserved,
    stored_keys,
    unfinished_sessions,
    used,
)
from tests.photo_files import image
from tests.troubled_store import with_troubled_store

ANNA = User("anna", "anna", frozenset({Scope.WRITE}))
BEN = User("ben", "ben", frozenset({Scope.WRITE}))
WISH = {"account": "acme", "caption": "Dawn", "privacy_level": "SELF_ONLY"}
NOWHERE = PostWanted()
#: A WebM as far as its first bytes tell.
VIDEO = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm" + bytes(3000)

pytestmark = pytest.mark.both_databases


class Sender:
    """Sends files as the routes do."""

    def __init__(self, workspace: Workspace, held: ExitStack) -> None:
        self.workspace = workspace
        self._held = held

    def file(self, content: bytes, name: str = "a.jpg", declared: str = "") -> WholeFile:
        spool = self._held.enter_context(open_spool())
        spool.write(content)
        return WholeFile(name, declared, spool)

    def send(
        self,
        *contents: bytes,
        user: User = ANNA,
        wanted: PostWanted = NOWHERE,
        workspace: Workspace | None = None,
    ) -> Taken:
        files = [self.file(content, f"{n}.jpg") for n, content in enumerate(contents, 1)]
        return take_files(
            workspace or self.workspace, user, files, media_type=MediaType.IMAGE, wanted=wanted
        )


@pytest.fixture
def sender(workspace: Workspace) -> Iterator[Sender]:
    with ExitStack() as held:
        yield Sender(workspace, held)


def images(count: int, first: int = 0) -> list[bytes]:
    return [image(shade=shade) for shade in range(first, first + count)]


def waiting_post(
    workspace: Workspace, user: User = ANNA, kind: MediaType = MediaType.IMAGE
) -> Post:
    """Make a post that waits for its media."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        wish = PostWish.parse(WISH, kind)
        return create_post(session, user=user, wish=wish, media=[], now=now, actor=user.actor).post


def content_of(workspace: Workspace, media: Sequence[Media]) -> list[bytes]:
    folder = data_folder(workspace)
    return [folder.path(one.source_path).read_bytes() for one in media]


def test_files_are_kept_in_their_order_and_count_once(sender: Sender, workspace: Workspace) -> None:
    sent = images(3)
    taken = sender.send(*sent)
    assert content_of(workspace, taken.media) == sent
    assert [one.sha256 for one in taken.media] == [hashlib.sha256(c).hexdigest() for c in sent]
    assert [one.file_name for one in taken.media] == ["1.jpg", "2.jpg", "3.jpg"]
    assert {one.user_id for one in taken.media} == {"anna"}
    assert taken.post is None
    assert reserved(workspace) == (0, 0)
    assert used(workspace) == (3, sum(map(len, sent)))
    with workspace.ledger.read() as session:
        rows = session.scalars(select(UploadSession)).all()
    assert {row.media_id for row in rows} == {one.id for one in taken.media}
    assert {(row.reserved_uploads, row.reserved_bytes) for row in rows} == {(0, 0)}
    assert unfinished_sessions(workspace) == []


def test_a_batch_makes_a_photo_post_in_the_order_it_came(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    taken = sender.send(*images(3), wanted=PostWanted(post=WISH))
    assert taken.post is not None
    assert (taken.post.state, taken.post.kind) == (PostState.READY, PostKind.PHOTO)
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, taken.post)
    assert [one.id for one in files] == [one.id for one in taken.media]


def test_a_batch_goes_to_the_photo_post_that_waits_for_it(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    post = waiting_post(workspace)
    taken = sender.send(*images(2), wanted=PostWanted(post_id=post.id))
    assert read_post(workspace, post.id).state is PostState.READY
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, read_post(workspace, post.id))
    assert [one.id for one in files] == [one.id for one in taken.media]


def test_the_same_bytes_again_give_the_post_that_they_are_and_are_not_kept_twice(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    first = sender.send(*images(2), wanted=PostWanted(post=WISH))
    kept, count = stored_keys(workspace), used(workspace)
    again = sender.send(*images(2), wanted=PostWanted(post=WISH))
    assert not again.is_new
    assert again.post is not None
    assert first.post is not None
    assert again.post.id == first.post.id
    assert [one.id for one in again.media] == [one.id for one in first.media]
    assert stored_keys(workspace) == kept
    assert media_ids(workspace) == {one.id for one in first.media}
    assert unfinished_sessions(workspace) == []
    assert (reserved(workspace), used(workspace)) == ((0, 0), count)


def test_another_users_bytes_are_not_told_of(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    sender.send(*images(1), wanted=PostWanted(post=WISH))
    kept = stored_keys(workspace)
    with pytest.raises(TerminalError, match="not yours") as caught:
        sender.send(*images(1), user=BEN, wanted=PostWanted(post=WISH))
    assert caught.value.code == "duplicate"
    assert "post_id" not in caught.value.context
    assert stored_keys(workspace) == kept
    assert (reserved(workspace), used(workspace)[0]) == ((0, 0), 1)


def test_one_bad_image_among_ten_refuses_all_and_is_named(
    sender: Sender, workspace: Workspace
) -> None:
    batch = [*images(6), b"no image at all", *images(3, first=10)]
    with pytest.raises(MediaRejectedError) as caught:
        sender.send(*batch)
    assert caught.value.code == "not_this_media"
    assert [one["value"] for one in caught.value.violations] == ["7.jpg: text content"]
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (PostWanted(post={**WISH, "account": "nobody"}), "account_not_found"),
        (PostWanted(post={"account": "acme"}), "invalid_post"),
        (PostWanted(post={**WISH, "disable_duet": True}), "invalid_post"),
        (PostWanted(post={**WISH, "cover_index": 5}), "invalid_post"),
        (PostWanted(post_id=4711), "post_not_found"),
    ],
)
def test_a_post_that_cannot_be_made_is_refused_before_anything_is_stored(
    sender: Sender, workspace: Workspace, account: Account, wanted: PostWanted, code: str
) -> None:
    troubled, store = with_troubled_store(workspace)
    with pytest.raises(ReelflowError) as caught:
        sender.send(*images(2), wanted=wanted, workspace=troubled)
    assert caught.value.code == code
    assert store.puts == 0
    assert_nothing_is_left(workspace)


def test_somebody_elses_post_is_no_post(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    post = waiting_post(workspace, BEN)
    with pytest.raises(ReelflowError) as caught:
        sender.send(*images(1), wanted=PostWanted(post_id=post.id))
    assert caught.value.code == "post_not_found"
    assert_nothing_is_left(workspace)


def test_a_photo_does_not_go_to_a_video_post(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    post = waiting_post(workspace, kind=MediaType.VIDEO)
    with pytest.raises(TerminalError, match="is a photo"):
        sender.send(*images(1), wanted=PostWanted(post_id=post.id))
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize("limits", [{"uploads_per_day": 2}, {"bytes_per_day": 1000}])
def test_a_batch_that_does_not_fit_the_quota_is_refused_as_a_whole(
    sender: Sender, workspace: Workspace, limits: dict[str, int]
) -> None:
    limit_user(workspace, **limits)
    with pytest.raises(QuotaExceededError):
        sender.send(*images(3))
    assert_nothing_is_left(workspace)


def test_files_that_would_leave_no_reserve_are_refused_and_leave_nothing(
    sender: Sender, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disk:
        fill_disk(disk, free_bytes=2**20)
        with pytest.raises(StorageFullError):
            sender.send(*images(3))
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize(
    "error",
    [
        StorageFullError("no room"),
        StorageAccessError("refused"),
        StorageUnavailableError("cut"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("moment", ["before_put", "after_put"])
def test_storage_that_fails_at_the_last_of_three_leaves_none(
    sender: Sender, workspace: Workspace, moment: str, error: BaseException
) -> None:
    troubled, store = with_troubled_store(workspace)

    def fail(number: int) -> None:
        if number == 3:
            raise error

    setattr(store, moment, fail)
    with pytest.raises(type(error)):
        sender.send(*images(3), workspace=troubled)
    assert_nothing_is_left(workspace)


def test_a_post_that_is_cancelled_meanwhile_gets_nothing_and_nothing_is_left(
    sender: Sender, workspace: Workspace, account: Account
) -> None:
    post = waiting_post(workspace)
    troubled, store = with_troubled_store(workspace)
    store.before_put = lambda _: cancel(workspace, post.id, actor=ACTOR) and None
    with pytest.raises(IllegalTransitionError):
        sender.send(image(), wanted=PostWanted(post_id=post.id), workspace=troubled)
    assert_nothing_is_left(workspace)


class LosingLedger(Ledger):
    """Commits what the second transaction that writes did, and loses the answer."""

    writes = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.writes += 1
        number = self.writes
        with super().write() as session:
            yield session
        if number == 2:
            raise LedgerLockedError("the connection is gone")


def test_what_was_committed_stays_whole_though_the_answer_was_lost(
    sender: Sender, workspace: Workspace
) -> None:
    ledger = workspace.ledger
    losing = LosingLedger(ledger.engine, ledger.cipher, now=ledger.now)
    with pytest.raises(LedgerLockedError):
        sender.send(*images(2), workspace=replace(workspace, ledger=losing))
    with workspace.ledger.read() as session:
        media = session.scalars(select(Media).order_by(Media.file_name)).all()
    assert content_of(workspace, media) == images(2)
    assert unfinished_sessions(workspace) == []
    assert (reserved(workspace)[0], used(workspace)[0]) == (0, 2)


def test_what_cannot_be_deleted_after_a_failure_is_swept(
    sender: Sender, workspace: Workspace
) -> None:
    troubled, store = with_troubled_store(workspace)

    def refuse(*_: object) -> None:
        raise StorageUnavailableError("cut")

    store.after_put = store.before_delete = refuse
    with pytest.raises(StorageUnavailableError):
        sender.send(image(), workspace=troubled)
    assert len(stored_keys(workspace)) == 1
    assert reserved(workspace) == (0, 0)
    expire_uploads(workspace, actor=ACTOR)
    assert_nothing_is_left(workspace)


@pytest.mark.parametrize("moment", ["before_put", "after_put"])
def test_what_a_process_that_dies_leaves_is_swept_after_two_hours(
    sender: Sender, workspace: Workspace, clock: Clock, moment: str
) -> None:
    url = workspace.ledger.engine.url.render_as_string(hide_password=False)
    child = os.fork()
    if child == 0:  # another process, with connections of its own
        try:
            ledger: Ledger = open_ledger(url, clock)
            troubled, store = with_troubled_store(
                Workspace(ledger, workspace.folders, workspace.rules)
            )
            setattr(store, moment, lambda number: os._exit(9) if number == 2 else None)
            sender.send(*images(2), workspace=troubled)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(stored_keys(workspace)) == (1 if moment == "before_put" else 2)
    assert reserved(workspace)[0] == 2
    clock.advance(timedelta(hours=1, minutes=59))
    assert expire_uploads(workspace, actor=ACTOR) == []
    clock.advance(timedelta(minutes=2))
    assert len(expire_uploads(workspace, actor=ACTOR)) == 2
    assert_nothing_is_left(workspace)


def test_a_video_is_taken_by_what_it_is(sender: Sender, workspace: Workspace) -> None:
    file = sender.file(VIDEO, "clip.webm", "video/webm")
    taken = take_files(workspace, ANNA, [file], media_type=None, wanted=NOWHERE)
    assert taken.media[0].source_path.endswith(".webm")
