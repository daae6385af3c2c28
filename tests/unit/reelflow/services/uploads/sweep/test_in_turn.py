from __future__ import annotations

from datetime import timedelta

from reelflow.domain.upload_session import SWEPT_AFTER
from reelflow.services.uploads.sweep.in_turn import SWEPT_EVERY, sweep_in_turn
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import CHUNK, Uploads
from tests.factories import Clock


def test_one_server_sweeps_at_a_time_and_another_after_ten_minutes(
    workspace: Workspace, clock: Clock
) -> None:
    uploads = Uploads(workspace)
    assert sweep_in_turn(workspace, owner="first") == []
    upload_id = uploads.open(2 * CHUNK)
    clock.advance(SWEPT_AFTER)
    assert sweep_in_turn(workspace, owner="first") == [upload_id]
    upload_id = uploads.open(2 * CHUNK)
    uploads.change(upload_id, expires_at=clock() - SWEPT_AFTER)
    clock.advance(SWEPT_EVERY - timedelta(seconds=1))
    assert sweep_in_turn(workspace, owner="second") == []
    clock.advance(timedelta(seconds=1))
    assert sweep_in_turn(workspace, owner="second") == [upload_id]
