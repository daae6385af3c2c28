"""Content analysis: what an account wants done with media that were generated, and by whom told."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from reelflow.domain.post import APPROVAL
from reelflow.exceptions import ConfigurationError


class AnalysisPolicy(StrEnum):
    """What happens to a post whose media are said to be generated; IGNORE does not even ask."""

    LABEL = "label"
    HOLD = "hold"
    REJECT = "reject"
    IGNORE = "ignore"


class AnalysisEngine(StrEnum):
    """Who says it: what the file itself declares, or a detection engine reached over HTTP."""

    PROVENANCE = "provenance"
    HTTP = "http"


#: What each engine can be asked for; the first where nothing else is said.
MODEL_TYPES: Final[dict[AnalysisEngine, tuple[str, ...]]] = {
    AnalysisEngine.PROVENANCE: ("provenance",),
    AnalysisEngine.HTTP: ("ensemble", "resnet", "cnn", "enhanced"),
}

#: Rule and reason of a post that waits for approval, or is rejected, because of a verdict.
AI_GENERATED: Final = "ai_generated"
#: Reason of a post that waits for approval because its engine refuses to judge it.
NOT_ANALYSED: Final = "not_analysed"
#: Reasons of HELD of which a release is the approval.
APPROVED_BY_RELEASE: Final = frozenset({AI_GENERATED, NOT_ANALYSED, APPROVAL})


def check_model_type(engine: AnalysisEngine, model_type: str | None) -> str:
    """Return the model type to ask an engine for, its first one for None.

    :raises ConfigurationError: the engine has no such model type
    """
    known = MODEL_TYPES[engine]
    if model_type is None:
        return known[0]
    if model_type not in known:
        raise ConfigurationError(
            f"the engine {engine} has no model type {model_type[:40]!r}: use {', '.join(known)}",
            code="analysis_model_type",
        )
    return model_type
