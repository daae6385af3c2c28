"""The embedded engine: what a file itself declares of its origin. It never says "real"."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from reelflow.analysis.base import Analysis, Progress, Subject, Verdict
from reelflow.analysis.c2pa_manifest import read_declared
from reelflow.analysis.digital_source import GENERATED, term_of
from reelflow.analysis.embedded_reader import read_embedded
from reelflow.analysis.generators import find_generators
from reelflow.analysis.xmp import read_properties
from reelflow.domain.printable import printable
from reelflow.exceptions import AnalysisLostError, ConfigurationError

NAME: Final = "provenance"
#: What a file says that declares nothing. It may be generated all the same.
NO_EVIDENCE: Final = "no evidence"
_SHOWN_MAX_CHARS: Final = 300
_UNREAD_MAX: Final = 5

#: IPTC's property in XMP (IPTC Photo Metadata Standard 2025.1, "Digital Source Type").
_SOURCE_TYPE: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ DigitalSourceType"
#: Where a manifest lies that is not in the file (C2PA 2.2, "External manifests").
_MANIFEST_ELSEWHERE: Final = "http://purl.org/dc/terms/ provenance"


class ProvenanceEngine:
    """Reads C2PA manifests, IPTC's digital source type, and the marks of known generators.

    The same evidence gives a verdict of the same id. It has no confidence: a declaration is no
    measurement, and anybody can strip one.
    """

    name = NAME

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._verdicts: dict[str, Verdict] = {}

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        """Examine the file, here and now."""
        if model_type != NAME:
            raise ConfigurationError(
                f"the engine {NAME} has no model type {model_type!r}: use {NAME}",
                code="analysis_model_type",
            )
        began = self._clock()
        terms, details = _examine(subject)
        verdict_id = _identity(subject, details)
        self._verdicts[verdict_id] = Verdict(
            id=verdict_id,
            engine=NAME,
            model_type=model_type,
            is_fake=True if terms else None,
            confidence=None,
            seconds=self._clock() - began,
            details=details,
        )
        return Analysis(verdict_id, estimated_s=0)

    def poll(self, analysis_id: str) -> Progress:
        """Say that it is finished."""
        self._known(analysis_id)
        return Progress(is_finished=True)

    def read(self, analysis_id: str) -> Verdict:
        """Return the verdict."""
        return self._known(analysis_id)

    def _known(self, analysis_id: str) -> Verdict:
        if analysis_id not in self._verdicts:
            raise AnalysisLostError(
                "another process examined the file and ended before it said what it found: "
                "examine it again"
            )
        return self._verdicts[analysis_id]


def _examine(subject: Subject) -> tuple[list[str], dict[str, Any]]:
    """Return the evidence that media were generated, and everything worth telling."""
    found = read_embedded(subject.source, subject.container)
    properties, unread = read_properties(found.xmp)
    declared = read_declared(subject)
    evidence = [f"C2PA: {GENERATED[term]} ({term})" for term in declared.terms]
    iptc = [term_of(value) for name, value in properties if name == _SOURCE_TYPE]
    evidence += [f"IPTC: {GENERATED[term]} ({term})" for term in iptc if term in GENERATED]
    generators = find_generators([*found.texts, *properties])
    evidence += [f"made by {name} ({source})" for name, source in generators.items()]
    evidence = list(dict.fromkeys(evidence))
    details: dict[str, Any] = {"summary": "; ".join(evidence) or NO_EVIDENCE, "evidence": evidence}
    if declared.details:
        details["c2pa"] = declared.details
    if unread:
        details["xmp_unread"] = unread[:_UNREAD_MAX]
    elsewhere = [value for name, value in properties if name == _MANIFEST_ELSEWHERE]
    if elsewhere and not declared.has_manifest:
        details["manifest_elsewhere"] = f"not fetched: {printable(elsewhere[0], _SHOWN_MAX_CHARS)}"
    return evidence, details


def _identity(subject: Subject, details: dict[str, Any]) -> str:
    told = json.dumps([NAME, subject.sha256, details["evidence"]])
    return sha256(told.encode()).hexdigest()[:32]
