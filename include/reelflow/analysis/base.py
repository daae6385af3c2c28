"""The port of content analysis: start an analysis, poll it, read its verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from reelflow.source import Source


@dataclass(frozen=True)
class Subject:
    """One file to be analysed.

    :param source: its bytes
    :param container: its type by its own first bytes, as `reelflow.media.sniff` names it
    :param sha256: what identifies its content, in hexadecimal
    :param make_url: returns where an engine that may fetch it finds it for the next minutes; a
        credential, so it is made when it is wanted, and never shown. None where it has no address
    """

    source: Source = field(repr=False)
    container: str
    sha256: str
    make_url: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Analysis:
    """An analysis that was started.

    :param id: the engine's own, by which it is polled and read
    :param estimated_s: seconds until its verdict, where the engine says so
    """

    id: str
    estimated_s: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far an analysis came.

    :param remaining_s: seconds until its verdict, where the engine says so
    """

    is_finished: bool
    remaining_s: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What an engine says of a file.

    :param id: the same for the same verdict: an approval holds for it alone
    :param engine: name of the engine
    :param model_type: which of its models judged
    :param is_fake: whether the media were generated; None when the engine cannot say, as
        `provenance` never can of a file that declares nothing
    :param confidence: of `is_fake`, from 0 to 1; None where the engine gives none
    :param seconds: how long the analysis computed
    :param details: whatever else the engine says; JSON-safe, for people
    """

    id: str
    engine: str
    model_type: str
    is_fake: bool | None
    confidence: float | None
    seconds: float
    details: dict[str, Any]


class Engine(Protocol):
    """One engine. Between its three calls, the caller may be another process."""

    @property
    def name(self) -> str:
        """What the ledger and people call it."""

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        """Begin an analysis.

        :raises AnalysisRefusedError: it will never judge this file
        :raises AnalysisUnavailableError: it cannot now
        :raises ConfigurationError: it is set up wrongly
        """

    def poll(self, analysis_id: str) -> Progress:
        """Ask how far an analysis came.

        :raises AnalysisLostError: the engine does not know it any more
        :raises AnalysisRefusedError: it failed, and would fail again
        :raises AnalysisUnavailableError: the engine cannot answer now
        """

    def read(self, analysis_id: str) -> Verdict:
        """Return the verdict of a finished analysis.

        :raises AnalysisLostError: the engine does not know it any more
        :raises AnalysisPendingError: it is not finished
        :raises AnalysisRefusedError: it failed, and would fail again
        :raises AnalysisUnavailableError: the engine cannot answer now
        """
