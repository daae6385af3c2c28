from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.upload_session import SessionState
from reelflow.domain.user import User
from reelflow.exceptions import TerminalError
from reelflow.ledger import upload_sessions
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.sessions import find_recent
from reelflow.services.uploads.recent import REMEMBERED
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import BEN, Uploads
from tests.factories import Clock


def move_elsewhere(workspace: Workspace, upload_id: str, to: SessionState) -> None:
    """Do what another process does, of which this one hears nothing."""
    with workspace.ledger.write() as session:
        upload_sessions.move(session, upload_id, to, now=workspace.ledger.now())


def found(uploads: Uploads, upload_id: str, user: User | None = None) -> UploadSession:
    return find_recent(uploads.workspace, user or uploads.user, upload_id)


def test_an_open_session_is_read_once_a_second(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.open(b"x")
    assert found(uploads, upload_id) is found(uploads, upload_id)
    move_elsewhere(uploads.workspace, upload_id, SessionState.FINISHING)
    assert found(uploads, upload_id).state is SessionState.OPEN
    clock.advance(REMEMBERED)
    assert found(uploads, upload_id).state is SessionState.FINISHING


def test_one_that_is_forgotten_is_read_anew(uploads: Uploads) -> None:
    upload_id = uploads.open(b"x")
    found(uploads, upload_id)
    move_elsewhere(uploads.workspace, upload_id, SessionState.FINISHING)
    uploads.workspace.recent_sessions.forget(upload_id)
    assert found(uploads, upload_id).state is SessionState.FINISHING


def test_only_what_is_open_is_remembered(uploads: Uploads) -> None:
    upload_id = uploads.open(b"x")
    move_elsewhere(uploads.workspace, upload_id, SessionState.FINISHING)
    assert found(uploads, upload_id).state is SessionState.FINISHING
    move_elsewhere(uploads.workspace, upload_id, SessionState.OPEN)
    assert found(uploads, upload_id).state is SessionState.OPEN


def test_what_was_just_shown_to_its_user_is_shown_to_no_other(uploads: Uploads) -> None:
    upload_id = uploads.open(b"x")
    found(uploads, upload_id)
    with pytest.raises(TerminalError, match="no such upload"):
        found(uploads, upload_id, BEN)


def test_a_clock_that_was_set_back_keeps_nothing_for_long(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.open(b"x")
    found(uploads, upload_id)
    move_elsewhere(uploads.workspace, upload_id, SessionState.FINISHING)
    clock.advance(-timedelta(hours=1))
    assert found(uploads, upload_id).state is SessionState.FINISHING


def test_what_one_workspace_remembers_no_other_does(uploads: Uploads) -> None:
    upload_id = uploads.open(b"x")
    found(uploads, upload_id)
    move_elsewhere(uploads.workspace, upload_id, SessionState.FINISHING)
    other = Uploads(replace(uploads.workspace))
    assert found(other, upload_id).state is SessionState.FINISHING
