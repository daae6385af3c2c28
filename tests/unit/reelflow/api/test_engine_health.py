from __future__ import annotations

from threading import Event

import pytest

from reelflow.api.engine_health import EngineHealth
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisUnavailableError,
    ConfigurationError,
    ReelflowError,
)
from tests.unit.reelflow.api.detector import Detector, engines


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "ok"),
        (AnalysisLostError("unknown"), "ok"),
        (AnalysisUnavailableError("away"), "unreachable"),
        (ConfigurationError("its key is refused"), "misconfigured"),
    ],
)
def test_an_engine_that_answers_is_well(error: ReelflowError | None, state: str) -> None:
    assert EngineHealth(engines(Detector(error))).state() == state


def test_where_there_is_no_engine_that_is_said() -> None:
    assert EngineHealth(engines(None)).state() == "not_configured"


def test_an_engine_that_hangs_is_not_waited_for_and_asked_once() -> None:
    release = Event()
    detector = Detector(None, release)
    health = EngineHealth(engines(detector), patience_s=0.05)
    try:
        assert [health.state() for _ in range(3)] == ["unreachable"] * 3
        assert detector.polls == 1
    finally:
        release.set()


def test_it_is_asked_again_after_a_while_and_not_before() -> None:
    time_s = [100.0]
    detector = Detector(AnalysisUnavailableError("away"))
    health = EngineHealth(engines(detector), now=lambda: time_s[0])
    assert health.state() == "unreachable"
    detector.error = None
    time_s[0] += 29.0
    assert health.state() == "unreachable"
    time_s[0] += 1.0
    assert health.state() == "ok"
    assert detector.polls == 2


def test_a_mistake_of_ours_is_not_called_its_illness() -> None:
    with pytest.raises(ZeroDivisionError):
        EngineHealth(engines(Detector(ZeroDivisionError()))).state()
