"""Each verdict is told in one sentence that says who found what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reelflow.ledger.models import Media, Verdict
from reelflow.services.intake.verdict_policy import sentence

AT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"is_fake": True, "confidence": 0.934}, "is generated, says http/cnn (confidence 93%)"),
        ({"is_fake": True, "details": {"summary": "why"}}, "is generated, says http/cnn: why"),
        ({"is_fake": True, "details": {"summary": 7}}, "is generated, says http/cnn"),
        (
            {"is_fake": True, "details": {"summary": "\x1b[2Jwhy\nnot"}},
            "is generated, says http/cnn: [2Jwhynot",
        ),
        ({"is_fake": True, "details": {"summary": "\n"}}, "is generated, says http/cnn"),
        ({"is_fake": False}, "is not generated, says http/cnn"),
        (
            {"is_fake": None, "engine": "provenance", "model_type": "provenance"},
            "no evidence that it is generated, says provenance",
        ),
        ({"refused_because": "no face in it"}, "no face in it"),
        ({"found_at": None}, "http/cnn is not finished"),
    ],
)
def test_a_verdict_is_told_in_one_sentence(columns: dict[str, Any], told: str) -> None:
    fields = {"engine": "http", "model_type": "cnn", "found_at": AT, "is_fake": None, **columns}
    verdict = Verdict(media=Media(file_name="clip.mp4"), **fields)
    assert sentence(verdict) in (f"clip.mp4 {told}", f"clip.mp4: {told}")
