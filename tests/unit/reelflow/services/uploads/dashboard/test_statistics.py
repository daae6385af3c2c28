"""Statistics of the dashboard: everything that is the user's, and nothing else."""

from __future__ import annotations

from typing import Any

from reelflow.domain.analysis import AnalysisEngine
from reelflow.ledger import verdicts
from reelflow.ledger.models import Media
from reelflow.services.uploads.dashboard.statistics import statistics_of
from reelflow.services.workspace import Workspace
from tests.intake_users import ADMIN, ANN, BOB, limit_user, upload
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

NONE = {"fake": 0, "real": 0, "unclear": 0, "refused": 0, "processing": 0}


def begin(workspace: Workspace, media: Media, **found: Any) -> None:
    """Write down an analysis, and its verdict if there is one."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        row = verdicts.begin(
            session,
            media.id,
            engine=AnalysisEngine.HTTP,
            model_type="cnn",
            analysis_id="an-1",
            now=now,
        )
        if found:
            told = {"verdict_id": "v", "confidence": None, "seconds": 1.0, "details": {}, **found}
            verdicts.record(session, row, now=now, **told)


def test_a_user_without_uploads_has_none(workspace: Workspace) -> None:
    upload(workspace, BOB)
    counted = statistics_of(workspace, ANN)
    assert (counted.uploads, counted.size_bytes, counted.verdicts) == (0, 0, NONE)
    assert (counted.quota.uploads, counted.quota.size_bytes) == (None, None)


def test_uploads_and_verdicts_are_counted_by_user(workspace: Workspace) -> None:
    files = [upload(workspace, content=bytes(10)) for _ in range(5)]
    for media, is_fake in zip(files, (True, True, False, None), strict=False):
        begin(workspace, media, is_fake=is_fake)
    begin(workspace, files[4])
    refused = upload(workspace, content=bytes(10))
    begin(workspace, refused)
    with workspace.ledger.write() as session:
        row = verdicts.of_media(session, [refused.id])[0]
        verdicts.refuse(session, row, why="no faces", now=workspace.ledger.now())
    begin(workspace, upload(workspace, BOB), is_fake=True)
    counted = statistics_of(workspace, ANN)
    assert (counted.uploads, counted.size_bytes) == (6, 60)
    assert counted.verdicts == {
        "fake": 2, "real": 1, "unclear": 1, "refused": 1, "processing": 1,
    }  # fmt: skip
    assert statistics_of(workspace, ADMIN).uploads == 0


def test_what_is_left_of_the_quota_is_todays(workspace: Workspace) -> None:
    limit_user(workspace, "ann", uploads_per_day=3, bytes_per_day=100)
    left = statistics_of(workspace, ANN).quota
    assert (left.uploads, left.size_bytes) == (3, 100)
