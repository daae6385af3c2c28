"""Content analysis for whoever may only read: what was begun is told of, and nothing begins."""

from __future__ import annotations

from collections.abc import Mapping

from reelflow.analysis.base import Analysis, Engine, Progress, Subject, Verdict
from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import AnalysisUnavailableError


def only_begun(engines: Mapping[AnalysisEngine, Engine]) -> Mapping[AnalysisEngine, Engine]:
    """Return the same engines, of which none begins an analysis: each one costs its owner."""
    return {name: _OnlyBegun(engine) for name, engine in engines.items()}


class _OnlyBegun:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        return self._engine.name

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        raise AnalysisUnavailableError("an analysis begins when a user asks who may write")

    def poll(self, analysis_id: str) -> Progress:
        return self._engine.poll(analysis_id)

    def read(self, analysis_id: str) -> Verdict:
        return self._engine.read(analysis_id)
