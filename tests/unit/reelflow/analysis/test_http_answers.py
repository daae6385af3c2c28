"""What an engine answers is checked: types, ranges, sizes, and what a database cannot hold."""

import contextlib
import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.analysis import http_answers
from reelflow.analysis.base import Progress, Verdict
from reelflow.analysis.http_answers import Answer
from reelflow.exceptions import (
    AnalysisPendingError,
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ReelflowError,
)

GOOD: dict[str, Any] = {
    "id": "v1", "model_type": "cnn", "is_fake": False, "confidence": 0.5,
    "processing_seconds": 1, "details": {"a": 1},
}  # fmt: skip


def answer(document: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(document).encode())


def verdict(**changes: Any) -> Verdict:
    return http_answers.verdict(answer({**GOOD, **changes}), engine="http")


def test_a_verdict_is_read() -> None:
    assert verdict() == Verdict("v1", "http", "cnn", False, 0.5, 1.0, {"a": 1})
    assert verdict(is_fake=None, confidence=None).is_fake is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "a/b"},
        {"id": "x" * 129},
        {"id": 7},
        {"model_type": None},
        {"is_fake": "true"},
        {"is_fake": 1},
        {"confidence": 1.01},
        {"confidence": -0.1},
        {"confidence": math.nan},
        {"confidence": True},
        {"confidence": "0.9"},
    ],
)
def test_a_malformed_verdict_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(AnalysisUnavailableError):
        verdict(**changes)


def test_a_verdict_that_does_not_say_whether_it_is_fake_is_malformed() -> None:
    told = {name: value for name, value in GOOD.items() if name != "is_fake"}
    with pytest.raises(AnalysisUnavailableError, match="is_fake"):
        http_answers.verdict(answer(told), engine="http")


def test_details_are_kept_as_a_database_can_hold_them() -> None:
    odd = {"nul\0": ["\ud800", math.inf, {"deep": "\0"}]}
    assert verdict(details=odd).details == {"nul\ufffd": ["\ufffd", None, {"deep": "\ufffd"}]}
    assert verdict(details={"a": "x" * 70_000}).details == {
        "omitted": "70009 characters of details"
    }
    assert verdict(details="a text").details == {}


@pytest.mark.parametrize(
    "seconds", [math.nan, math.inf, -1, 1e300, pytest.param(10**400, id="huge"), "5", None, True]
)
def test_a_time_that_is_none_is_no_time(seconds: object) -> None:
    assert verdict(processing_seconds=seconds).seconds == 0


def test_progress_is_finished_going_on_or_failed() -> None:
    assert http_answers.progress(answer({"status": "completed"})) == Progress(True)
    assert http_answers.progress(answer({"status": "queued"})) == Progress(False)
    with pytest.raises(AnalysisRefusedError, match="no video in it"):
        http_answers.progress(answer({"status": "failed", "error": {"message": "no video in it"}}))
    for status in ("dreaming", None, 7, ["queued"], {"queued": 1}):
        with pytest.raises(AnalysisUnavailableError, match="status"):
            http_answers.progress(answer({"status": status}))


def test_a_verdict_that_is_not_there_yet_is_pending() -> None:
    with pytest.raises(AnalysisPendingError):
        http_answers.verdict(answer({}, 202), engine="http")


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_any_answer_is_understood_or_an_error_of_ours(body: bytes, status: int) -> None:
    given_answer = Answer(status, {}, body)
    for read in (
        http_answers.started,
        http_answers.progress,
        lambda one: http_answers.verdict(one, engine="http"),
    ):
        with pytest.raises(ReelflowError):
            read(given_answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(changes=st.dictionaries(st.sampled_from([*GOOD, "status", "error"]), JSON))
def test_any_document_is_understood_or_an_error_of_ours(changes: dict[str, Any]) -> None:
    known = {**GOOD, "analysis_id": "a", "status": "queued", "remaining_seconds": 1}
    for read in (
        http_answers.started,
        http_answers.progress,
        lambda one: http_answers.verdict(one, engine="http"),
    ):
        for status in (200, 400):
            with contextlib.suppress(ReelflowError):
                json.dumps(asdict(read(answer({**known, **changes}, status))), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "seconds"), [("5", 5), ("0", 0), ("999999999", 86_400), ("soon", None), ("-1", None)]
)
def test_retry_after_is_read_in_seconds(value: str, seconds: float | None) -> None:
    assert http_answers.retry_after_s(Answer(503, {"retry-after": value})) == seconds
