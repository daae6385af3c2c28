from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.upload_session import SessionKind, SessionState
from reelflow.exceptions import IllegalTransitionError, TerminalError
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.chunked.sessions import cancel
from tests.chunked_uploads import BEN, CHUNK, ROOT, Uploads, video_like
from tests.factories import Clock
from tests.frail_store import Died, FrailStore

CONTENT = video_like(2 * CHUNK + 1000)


def test_the_status_names_what_is_there_and_what_is_missing(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    assert uploads.status(upload_id).missing == [0, 1, 2]
    uploads.send_all(upload_id, CONTENT, but=[1])
    status = uploads.status(upload_id)
    assert (status.missing, status.received, status.is_expired) == ([1], [0, 2], False)


def test_a_finished_upload_misses_nothing(uploads: Uploads) -> None:
    upload_id = uploads.sent(CONTENT)
    uploads.finalize(upload_id)
    status = uploads.status(upload_id)
    assert (status.missing, status.session.state) == ((), SessionState.FINISHED)


@pytest.mark.parametrize("ask", [Uploads.status, Uploads.finalize])
def test_an_upload_of_somebody_else_is_as_unknown_as_none(
    uploads: Uploads, ask: Callable[[Uploads, str], object]
) -> None:
    upload_id = uploads.sent(CONTENT)
    bens = replace(uploads, user=BEN)
    said = []
    for unknown in (upload_id, "0" * 32, "../../etc/passwd", upload_id.upper() + "\0"):
        with pytest.raises(TerminalError) as refused:
            ask(bens, unknown)
        said.append((refused.value.code, str(refused.value)))
    assert {code for code, _ in said} == {"upload_not_found"}
    assert len({message for _, message in said}) == 1
    assert uploads.state(upload_id) is SessionState.OPEN


def test_an_admin_sees_and_ends_everybodys(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    assert replace(uploads, user=ROOT).status(upload_id).missing == [0, 1, 2]
    cancel(uploads.workspace, ROOT, upload_id)
    assert uploads.row(upload_id) is None


def test_a_session_of_another_kind_is_none_of_these(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    uploads.change(upload_id, kind=SessionKind.DASHBOARD)
    with pytest.raises(TerminalError, match="no such upload"):
        uploads.status(upload_id)


def test_an_upload_is_cancelled_without_a_trace(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    uploads.send(upload_id, 0, CONTENT[:CHUNK])
    cancel(uploads.workspace, uploads.user, upload_id)
    assert (uploads.count(UploadSession), uploads.stored()) == (0, [])
    assert uploads.use() == (0, 0, 0, 0)
    with pytest.raises(TerminalError, match="no such upload"):
        cancel(uploads.workspace, uploads.user, upload_id)


def test_somebody_else_cancels_nothing(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    with pytest.raises(TerminalError, match="no such upload"):
        cancel(uploads.workspace, BEN, upload_id)
    assert uploads.state(upload_id) is SessionState.OPEN


def test_a_finished_upload_is_not_cancelled(uploads: Uploads) -> None:
    upload_id = uploads.sent(CONTENT)
    media_id = uploads.finalize(upload_id).media.id
    with pytest.raises(IllegalTransitionError) as refused:
        cancel(uploads.workspace, uploads.user, upload_id)
    assert refused.value.code == "upload_state"
    assert refused.value.context == {"state": "finished", "media_id": media_id}
    assert uploads.stored() == [f"media/{media_id}.mp4"]


@pytest.mark.parametrize("at", ["before abort", "before delete"])
def test_a_cancellation_that_dies_half_way_is_gone_for_its_user(
    uploads: Uploads, store: FrailStore, at: str
) -> None:
    upload_id = uploads.sent(CONTENT)
    store.fail(at)
    with pytest.raises(Died):
        cancel(uploads.workspace, uploads.user, upload_id)
    assert uploads.state(upload_id) is SessionState.CANCELLED
    assert uploads.use() == (0, 0, 0, 0)
    with pytest.raises(TerminalError, match="no such upload"):
        uploads.status(upload_id)


def test_an_upload_whose_time_is_over_says_so_until_it_is_swept(
    uploads: Uploads, clock: Clock
) -> None:
    upload_id = uploads.sent(CONTENT)
    clock.advance(timedelta(hours=1))
    assert uploads.status(upload_id).is_expired
    with pytest.raises(TerminalError) as refused:
        uploads.finalize(upload_id)
    assert refused.value.code == "upload_expired"
    with pytest.raises(TerminalError, match="too long ago"):
        uploads.send(upload_id, 0, CONTENT[:CHUNK])
    cancel(uploads.workspace, uploads.user, upload_id)
    assert uploads.stored() == []
