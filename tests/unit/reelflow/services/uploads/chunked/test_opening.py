from __future__ import annotations

from datetime import timedelta

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import (
    AccountNotFoundError,
    PostNotFoundError,
    QuotaExceededError,
    StorageFullError,
    StorageUnavailableError,
    TerminalError,
)
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.uploads.sweep.expiry import expire_uploads
from tests.chunked_uploads import CHUNK, WISH, Uploads
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.frail_store import Died, FrailStore
from tests.full_disk import fill_disk
from tests.intake_users import limit_user


def assert_nothing_is_left(uploads: Uploads) -> None:
    assert uploads.count(UploadSession) == uploads.count(Media) == uploads.count(Post) == 0
    assert uploads.stored() == []
    assert uploads.use() == (0, 0, 0, 0)


def test_an_open_session_has_its_room_and_its_part_of_the_quota(
    uploads: Uploads, clock: Clock
) -> None:
    upload_id = uploads.open(2 * CHUNK + 1)
    row = uploads.row(upload_id)
    assert row is not None
    assert (row.state, row.total_chunks) == (SessionState.OPEN, 3)
    assert row.expires_at == clock() + timedelta(hours=1)
    assert row.storage_key == f"media/{upload_id}.mp4"
    [data] = [name for name in uploads.stored() if name.endswith(".data")]
    assert data_folder(uploads.workspace).path(data).stat().st_size == 2 * CHUNK + 1
    assert uploads.use() == (0, 0, 1, 2 * CHUNK + 1)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("C:\\temp\\a\x00b\u202e.mp4", "ab.mp4"),
        ("..", "upload"),
    ],
)
def test_a_name_is_data_and_never_a_path(uploads: Uploads, name: str, kept: str) -> None:
    upload_id = uploads.open(1000, file_name=name)
    row = uploads.row(upload_id)
    assert row is not None
    assert (row.file_name, row.storage_key) == (kept, f"media/{upload_id}.mp4")


def test_a_full_disk_is_told_before_the_first_byte_and_leaves_nothing(
    uploads: Uploads, store: FrailStore
) -> None:
    store.fail("before begin", StorageFullError("full"))
    with pytest.raises(StorageFullError):
        uploads.open(CHUNK)
    assert_nothing_is_left(uploads)


def test_an_upload_that_would_leave_no_reserve_is_refused_and_leaves_nothing(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disk:
        fill_disk(disk, free_bytes=2 * CHUNK)
        with pytest.raises(StorageFullError):
            uploads.open(CHUNK)
    assert_nothing_is_left(uploads)


def test_storage_that_cannot_be_reached_leaves_what_the_sweep_deletes(
    uploads: Uploads, store: FrailStore
) -> None:
    store.fail("after begin", StorageUnavailableError("the answer was lost"))
    with pytest.raises(StorageUnavailableError):
        uploads.open(CHUNK)
    assert_nothing_is_left(uploads)


def test_a_process_that_dies_while_it_opens_leaves_what_the_sweep_deletes(
    uploads: Uploads, store: FrailStore, clock: Clock
) -> None:
    store.fail("after begin")
    with pytest.raises(Died):
        uploads.open(CHUNK)
    assert len(uploads.stored()) == 3
    clock.advance(timedelta(hours=2))
    assert len(expire_uploads(uploads.workspace, actor="tests")) == 1
    assert_nothing_is_left(uploads)


def test_what_goes_beyond_the_quota_is_refused_and_leaves_nothing(uploads: Uploads) -> None:
    limit_user(uploads.workspace, uploads_per_day=1)
    uploads.open(1000)
    with pytest.raises(QuotaExceededError):
        uploads.open(1000)
    assert (uploads.count(UploadSession), uploads.use()) == (1, (0, 0, 1, 1000))


def test_an_empty_file_is_refused(uploads: Uploads) -> None:
    with pytest.raises(TerminalError) as refused:
        uploads.open(0)
    assert refused.value.code == "file_size"
    assert_nothing_is_left(uploads)


def test_a_post_that_cannot_be_made_is_refused_before_the_bytes_come(uploads: Uploads) -> None:
    with pytest.raises(AccountNotFoundError):
        uploads.open(1000, post=WISH)
    with pytest.raises(TerminalError, match="privacy_level is missing"):
        uploads.open(1000, post={"account": "acme"})
    with pytest.raises(PostNotFoundError):
        uploads.open(1000, post_id=1)
    assert_nothing_is_left(uploads)


def test_a_wish_that_can_be_granted_makes_no_post_yet(uploads: Uploads, account: Account) -> None:
    uploads.open(1000, post={**WISH, "account": account.name})
    assert uploads.count(Post) == uploads.count(Media) == 0
