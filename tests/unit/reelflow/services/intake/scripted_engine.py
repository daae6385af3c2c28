"""An engine that says what a test wants, where no real one can be brought to it."""

from __future__ import annotations

from typing import Any

from reelflow.analysis.base import Analysis, Progress, Subject, Verdict
from reelflow.domain.analysis import AnalysisEngine


class ScriptedEngine:
    """Finishes after ``polls_needed`` polls; raises ``failure`` instead of beginning or polling."""

    name = "http"

    def __init__(self, **found: Any) -> None:
        self.found = {"id": "v-1", "is_fake": True, "confidence": 0.9, "details": {}, **found}
        self.polls_needed = 1
        self.estimated_s: float | None = 5
        self.remaining_s: float | None = 5
        self.start_failure: Exception | None = None
        self.poll_failures: list[Exception] = []
        self.started: list[Subject] = []
        self.model_types: list[str] = []
        self.polls = 0

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        if self.start_failure is not None:
            raise self.start_failure
        assert subject.source.read_at(0, 1)
        self.started.append(subject)
        self.model_types.append(model_type)
        return Analysis(f"an-{len(self.started)}", estimated_s=self.estimated_s)

    def poll(self, analysis_id: str) -> Progress:
        self.polls += 1
        if self.poll_failures:
            raise self.poll_failures.pop(0)
        is_finished = self.polls >= self.polls_needed
        return Progress(is_finished, None if is_finished else self.remaining_s)

    def read(self, analysis_id: str) -> Verdict:
        return Verdict(engine="http", model_type=self.model_types[-1], seconds=1.0, **self.found)


def engines(engine: ScriptedEngine) -> dict[AnalysisEngine, Any]:
    return {AnalysisEngine.HTTP: engine}
