"""Detection of uploaded videos: which engine is asked, and what it means that it cannot be."""

from __future__ import annotations

import pytest

from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import AnalysisUnavailableError
from reelflow.services.uploads.dashboard.detection import detect
from reelflow.services.workspace import Workspace
from tests.intake_users import upload
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine

HTTP, PROVENANCE = AnalysisEngine.HTTP, AnalysisEngine.PROVENANCE


def test_the_external_engine_is_asked_where_there_is_one(workspace: Workspace) -> None:
    engine, embedded = ScriptedEngine(), ScriptedEngine()
    detection = detect(workspace, upload(workspace), {HTTP: engine, PROVENANCE: embedded})
    assert detection.id.endswith("-http")
    assert (engine.model_types, embedded.model_types) == (["ensemble"], [])


def test_the_engine_that_was_asked_first_is_asked_again(workspace: Workspace) -> None:
    media, embedded, engine = upload(workspace), ScriptedEngine(), ScriptedEngine()
    first = detect(workspace, media, {PROVENANCE: embedded})
    again = detect(workspace, media, {HTTP: engine, PROVENANCE: embedded})
    assert (first.verdict, first.remaining_s) == (None, 5)
    assert again.id == first.id == f"{media.id}-provenance"
    assert again.verdict is not None
    assert engine.started == []


def test_an_engine_that_is_away_has_no_verdict_yet_for_who_is_patient(
    workspace: Workspace,
) -> None:
    media, engine = upload(workspace), ScriptedEngine()
    engine.start_failure = AnalysisUnavailableError("the engine is away", retry_after_s=9)
    detection = detect(workspace, media, {HTTP: engine}, is_patient=True)
    assert (detection.verdict, detection.remaining_s) == (None, 9)
    with pytest.raises(AnalysisUnavailableError):
        detect(workspace, media, {HTTP: engine})
