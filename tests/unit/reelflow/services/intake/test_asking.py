"""Asking an engine about files that no post publishes; of posts, see ``test_analyse``."""

from __future__ import annotations

import pytest

from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import AnalysisPendingError, ConfigurationError, MediaUnreadableError
from reelflow.ledger.models import Verdict
from reelflow.services.intake.asking import ask_engine
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.intake_users import upload
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine, engines

pytestmark = ON_BOTH_DATABASES


def ask(workspace: Workspace, *files: object, engine: ScriptedEngine) -> list[Verdict]:
    return ask_engine(
        workspace,
        files,  # type: ignore[arg-type]
        engine=AnalysisEngine.HTTP,
        model_type="cnn",
        engines=engines(engine),
        wait_s=0,
    )


def test_without_patience_an_analysis_is_begun_and_asked_for_again(workspace: Workspace) -> None:
    engine, media = ScriptedEngine(), upload(workspace)
    with pytest.raises(AnalysisPendingError) as caught:
        ask(workspace, media, engine=engine)
    assert (caught.value.retry_after_s, engine.polls) == (5, 0)
    (verdict,) = ask(workspace, media, engine=engine)
    assert (verdict.is_fake, len(engine.started)) == (True, 1)


def test_an_engine_that_says_nothing_of_time_is_asked_at_once(workspace: Workspace) -> None:
    engine = ScriptedEngine()
    engine.estimated_s = None
    (verdict,) = ask(workspace, upload(workspace), engine=engine)
    assert verdict.found_at is not None


def test_an_engine_that_nobody_named_is_missed(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="detection_default does not exist"):
        ask_engine(
            workspace,
            [upload(workspace)],
            engine=AnalysisEngine.HTTP,
            model_type="cnn",
            engines={},
            wait_s=0,
        )


def test_a_file_that_is_gone_is_named_without_a_post(workspace: Workspace) -> None:
    media = upload(workspace)
    data_folder(workspace).path(media.source_path).unlink()
    with pytest.raises(MediaUnreadableError, match=r"^clip\.mp4 is gone from "):
        ask(workspace, media, engine=ScriptedEngine())
