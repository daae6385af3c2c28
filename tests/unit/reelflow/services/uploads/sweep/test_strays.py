"""Strays: old objects of forms that are over are deleted, and nothing else."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import StorageUnavailableError
from reelflow.ledger import upload_sessions
from reelflow.ledger.models import Media
from reelflow.services.uploads.dashboard import sessions as dashboard
from reelflow.services.uploads.sweep.strays import delete_strays
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import ANNA
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.frail_store import with_frail_store
from tests.intake_users import upload
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

OLD = timedelta(hours=2, minutes=1)


def put(workspace: Workspace, name: str) -> str:
    key = f"direct-uploads/anna/{name}"
    workspace.folders.store.put(key, b"bytes", size_bytes=5)
    return key


def test_an_object_that_nobody_knows_goes_once_it_is_old(
    workspace: Workspace, clock: Clock
) -> None:
    key = put(workspace, f"{uuid.uuid4().hex}.mp4")
    clock.advance(timedelta(minutes=30))  # ahead of the machine's by an hour already
    assert delete_strays(workspace) == []
    clock.advance(timedelta(minutes=31))
    assert delete_strays(workspace) == [key]
    assert delete_strays(workspace) == []


@pytest.mark.parametrize(
    "name", ["readme.txt", "a.mp4", f"{'f' * 32}", f"{'f' * 32}.mp4.json", f"{'F' * 32}.mp4"]
)
def test_what_is_not_named_as_ours_stays(workspace: Workspace, clock: Clock, name: str) -> None:
    put(workspace, name)
    clock.advance(OLD)
    assert delete_strays(workspace) == []


def test_the_object_of_a_session_that_goes_on_stays(workspace: Workspace, clock: Clock) -> None:
    row = dashboard.open_session(workspace, ANNA)
    key = put(workspace, f"{row.id}.mp4")
    clock.advance(OLD)
    assert delete_strays(workspace) == []
    with workspace.ledger.write() as session:
        upload_sessions.move(session, row.id, SessionState.EXPIRED, now=clock())
    assert delete_strays(workspace) == [key]


def test_the_object_of_a_file_stays_until_the_file_is_deleted(
    workspace: Workspace, clock: Clock
) -> None:
    media = upload(workspace)
    key = put(workspace, f"{media.id}.mp4")
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).source_path = key
    clock.advance(OLD)
    assert delete_strays(workspace) == []
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).deleted_at = clock()
    assert delete_strays(workspace) == [key]
    assert not data_folder(workspace).path(key).exists()


def test_the_object_that_a_form_brought_beside_a_file_in_the_quarantine_goes(
    workspace: Workspace, clock: Clock
) -> None:
    media = upload(workspace)
    key = put(workspace, f"{media.id}.mp4")
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).source_path = "quarantine/acme/1.mp4"
    clock.advance(OLD)
    assert delete_strays(workspace) == [key]


def test_one_that_storage_does_not_delete_now_keeps_no_other(
    workspace: Workspace, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    frail, store = with_frail_store(workspace)
    first, second = sorted(put(workspace, f"{uuid.uuid4().hex}.mp4") for _ in range(2))
    clock.advance(OLD)
    store.fail("before delete", StorageUnavailableError("s3"))
    assert delete_strays(frail) == [second]
    assert f"{first}, which nobody needs any more, was not deleted: s3" in caplog.text
    assert delete_strays(frail) == [first]
