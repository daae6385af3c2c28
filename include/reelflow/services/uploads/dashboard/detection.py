"""What content analysis says of an uploaded video: begun as it comes, and asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reelflow.analysis.base import Engine
from reelflow.domain.analysis import MODEL_TYPES, AnalysisEngine
from reelflow.exceptions import AnalysisPendingError, AnalysisUnavailableError
from reelflow.ledger import verdicts
from reelflow.ledger.models import Media, Verdict
from reelflow.services.intake.asking import ask_engine
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class Detection:
    """What content analysis says of a video by now.

    :param id: stays the same, however often the engine has to begin anew
    :param verdict: None while it goes on
    :param remaining_s: seconds until the verdict, where the engine says so
    """

    id: str
    verdict: Verdict | None
    remaining_s: float | None = None


def detect(
    workspace: Workspace,
    media: Media,
    engines: Mapping[AnalysisEngine, Engine],
    *,
    is_patient: bool = False,
) -> Detection:
    """Ask the engine that was asked before, or the best there is.

    :param is_patient: an engine that cannot be asked just now has no verdict yet
    """
    with workspace.ledger.read() as session:
        known = verdicts.of_media(session, [media.id])
    if known:
        engine, model_type = known[0].engine, known[0].model_type
    else:
        external = AnalysisEngine.HTTP in engines
        engine = AnalysisEngine.HTTP if external else AnalysisEngine.PROVENANCE
        model_type = MODEL_TYPES[engine][0]
    analysis_id = f"{media.id}-{engine}"
    try:
        (verdict,) = ask_engine(
            workspace, [media], engine=engine, model_type=model_type, engines=engines, wait_s=0
        )
    except AnalysisPendingError as exc:
        return Detection(analysis_id, None, exc.retry_after_s)
    except AnalysisUnavailableError as exc:
        if not is_patient:
            raise
        return Detection(analysis_id, None, exc.retry_after_s)
    return Detection(analysis_id, verdict)
