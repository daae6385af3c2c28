"""A detection engine that answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from reelflow.analysis.base import Analysis, Engine, Progress, Subject, Verdict
from reelflow.api.intake import OpenEngines
from reelflow.domain.analysis import AnalysisEngine


class Detector:
    """An engine that answers every poll alike, and counts them."""

    name = "http"

    def __init__(self, error: Exception | None, release: Event | None = None) -> None:
        self.error = error
        self.polls = 0
        self._release = release

    def poll(self, analysis_id: str) -> Progress:
        self.polls += 1
        if self._release is not None:
            assert self._release.wait(60)
        if self.error is not None:
            raise self.error
        return Progress(is_finished=False)

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        raise NotImplementedError

    def read(self, analysis_id: str) -> Verdict:
        raise NotImplementedError


def engines(detector: Detector | None) -> OpenEngines:
    @contextmanager
    def opened() -> Iterator[Mapping[AnalysisEngine, Engine]]:
        yield {} if detector is None else {AnalysisEngine.HTTP: detector}

    return opened
