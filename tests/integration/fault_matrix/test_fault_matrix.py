"""A short form of the fault matrix: each call in each mode, each family of troubles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from tests.integration.fault_matrix.catalogue import (
    BESIDE_THE_WAY,
    PLACES,
    Case,
    every_case,
    some_cases,
)
from tests.integration.fault_matrix.trial import Bench, bench
from tiktok_simulator.codes import ERROR_CODES, FAIL_REASONS
from tiktok_simulator.faults import Call, FaultKind


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("matrix")) as shared:
        yield shared


@pytest.mark.parametrize("case", list(some_cases()), ids=str)
def test_a_post_gets_through_its_trouble(shared: Bench, case: Case) -> None:
    outcome = shared.play(case)
    assert not outcome.problems, f"{case}: {' > '.join(outcome.way)}"


def test_the_matrix_has_every_call_fault_code_and_reason_of_the_simulator() -> None:
    cases = list(every_case())
    calls = {place.call for place in PLACES} - {None}
    assert calls.isdisjoint(BESIDE_THE_WAY)
    assert calls | BESIDE_THE_WAY.keys() == set(get_args(Call))
    assert {case.trouble.fault.get("kind") for case in cases} == {*get_args(FaultKind), None}
    assert set(ERROR_CODES) <= {case.trouble.fault.get("code") for case in cases}
    assert set(FAIL_REASONS) <= {case.trouble.fail_reason for case in cases}
    assert len(set(map(str, cases))) == len(cases)
