"""Asking an engine about files: begun once, waited for in bounds, and kept in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from reelflow.analysis.base import Engine
from reelflow.analysis.connection import missing_connection
from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisPendingError,
    AnalysisRefusedError,
)
from reelflow.ledger import verdicts
from reelflow.ledger.models import Media, Verdict
from reelflow.services.intake.analysis_subject import open_subject
from reelflow.services.workspace import Workspace

_SHORTEST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 15.0


def ask_engine(
    workspace: Workspace,
    files: Sequence[Media],
    *,
    engine: AnalysisEngine,
    model_type: str,
    engines: Mapping[AnalysisEngine, Engine],
    wait_s: float,
    sleep: Callable[[float], None] = time.sleep,
    post_id: int | None = None,
) -> list[Verdict]:
    """Return what an engine says of each file, in their order, asking where it must.

    What it was asked before, by whomever, is asked for again, not anew.

    :param engines: those that this process can reach
    :param wait_s: longest wait for verdicts of all files together
    :param post_id: of the post that publishes them, if there is one, for errors
    :raises AnalysisPendingError: verdicts are still to come
    :raises AnalysisUnavailableError: the engine cannot be asked now
    :raises ConfigurationError: the engine is not set up
    :raises MediaUnreadableError: a file is gone
    :raises SourceChangedError: a file is not the one that was taken
    """
    asking = _Asking(workspace, engine, model_type, engines, _Patience(wait_s, sleep), post_id)
    # All are begun before any is waited for: an engine may work on several at once.
    begun = [asking.start(media) for media in files]
    asking.wait_as_estimated()
    return [
        verdict if verdict.found_at is not None else asking.finish(media, verdict)
        for media, verdict in zip(files, begun, strict=True)
    ]


@dataclass
class _Patience:
    """How long may still be waited."""

    left_s: float
    sleep: Callable[[float], None]
    waited_s: float = 0.0

    def wait(self, wanted_s: float) -> None:
        """Wait until an engine may be finished, or may know better when it is.

        :raises AnalysisPendingError: the patience ends before
        """
        pause_s = min(max(wanted_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        if pause_s > self.left_s:
            raise AnalysisPendingError(
                "the analysis is not finished; the next try asks for its verdict again",
                retry_after_s=wanted_s if wanted_s > 0 else None,
            )
        self.left_s -= pause_s
        self.waited_s += pause_s
        self.sleep(pause_s)


class _Asking:
    """Files and the engine that judges them."""

    def __init__(
        self,
        workspace: Workspace,
        name: AnalysisEngine,
        model_type: str,
        engines: Mapping[AnalysisEngine, Engine],
        patience: _Patience,
        post_id: int | None,
    ) -> None:
        self._workspace = workspace
        self._name = name
        self._model_type = model_type
        self._engines = engines
        self._patience = patience
        self._post_id = post_id
        self._estimated_s = 0.0

    def start(self, media: Media) -> Verdict:
        """Return the file's verdict, or an analysis that goes on; begin one if there is neither."""
        with self._workspace.ledger.read() as session:
            known = verdicts.find(session, media.id, engine=self._name, model_type=self._model_type)
        if known is not None and (known.found_at is not None or known.analysis_id is not None):
            return known
        try:
            with open_subject(self._workspace, media, post_id=self._post_id) as subject:
                analysis = self._engine().start(subject, model_type=self._model_type)
        except AnalysisRefusedError as exc:
            return self._refuse(media, exc)
        self._estimated_s = max(self._estimated_s, analysis.estimated_s or 0.0)
        with self._workspace.ledger.write() as session:
            return self._begin(session, media, analysis.id)

    def wait_as_estimated(self) -> None:
        """Leave the engine the time that it said it needs for what was begun here.

        :raises AnalysisPendingError: the patience ends before
        """
        if self._estimated_s > 0:
            self._wait(None)

    def _wait(self, remaining_s: float | None) -> None:
        """Wait as an engine says now or, where it does not, as it said at the beginning."""
        estimated_s = self._estimated_s - self._patience.waited_s
        self._patience.wait(estimated_s if remaining_s is None else remaining_s)

    def finish(self, media: Media, verdict: Verdict) -> Verdict:
        """Wait for a verdict and keep it; one whose engine lost the analysis is begun again."""
        try:
            return self._finish(media, verdict)
        except AnalysisLostError:
            self._forget(verdict)
            again = self.start(media)
            return again if again.found_at is not None else self._finish(media, again)

    def _finish(self, media: Media, verdict: Verdict) -> Verdict:
        analysis_id = verdict.analysis_id or ""
        try:
            while not (progress := self._engine().poll(analysis_id)).is_finished:
                self._wait(progress.remaining_s)
            found = self._engine().read(analysis_id)
        except AnalysisRefusedError as exc:
            return self._refuse(media, exc)
        with self._workspace.ledger.write() as session:
            row = self._begin(session, media, analysis_id)
            verdicts.record(
                session,
                row,
                verdict_id=found.id,
                is_fake=found.is_fake,
                confidence=found.confidence,
                seconds=found.seconds,
                details=found.details,
                now=self._workspace.ledger.now(),
            )
        return row

    def _engine(self) -> Engine:
        engine = self._engines.get(self._name)
        if engine is None:
            raise missing_connection()
        return engine

    def _begin(self, session: Session, media: Media, analysis_id: str) -> Verdict:
        return verdicts.begin(
            session,
            media.id,
            engine=self._name,
            model_type=self._model_type,
            analysis_id=analysis_id,
            now=self._workspace.ledger.now(),
        )

    def _refuse(self, media: Media, exc: AnalysisRefusedError) -> Verdict:
        with self._workspace.ledger.write() as session:
            row = self._begin(session, media, "")
            verdicts.refuse(session, row, why=str(exc), now=self._workspace.ledger.now())
        return row

    def _forget(self, verdict: Verdict) -> None:
        with self._workspace.ledger.write() as session:
            row = session.get_one(Verdict, verdict.id)
            if row.analysis_id == verdict.analysis_id:
                row.analysis_id = None
