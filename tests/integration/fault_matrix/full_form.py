"""Playing many cases on all processors, one line each, and a summary."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from tests.integration.fault_matrix.bench import bench
from tests.integration.fault_matrix.catalogue import Case, every_case
from tests.integration.fault_matrix.trial import Outcome


def main(words: list[str]) -> int:
    """Play the cases whose names hold all the words; return 1 if one failed, else 0."""
    cases = [case for case in every_case() if all(word in str(case) for word in words)]
    processes = os.cpu_count() or 1
    shares = [cases[number::processes] for number in range(processes)]
    # Spawned, not forked: each has a folder of ledgers of its own.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        outcomes = list(chain.from_iterable(pool.map(_play, shares)))
    print(_summary(cases, outcomes))
    return any(outcome.problems for outcome in outcomes)


def _play(cases: Sequence[Case]) -> list[Outcome]:
    """Play a share of the cases, with a simulator of its own."""
    logging.disable()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder, bench(Path(folder)) as shared:
        for case in cases:
            outcomes.append(shared.play(case))
            print(_line(case, outcomes[-1]), flush=True)
    return outcomes


def _line(case: Case, outcome: Outcome) -> str:
    verdict = "FAIL" if outcome.problems else "ok"
    line = f"{verdict:5}{case}: {' > '.join(outcome.way)}"
    return "\n     ".join([line, *outcome.problems])


def _summary(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> str:
    places = {(case.place.name, case.mode) for case in cases}
    troubles = {case.trouble.name for case in cases}
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    duplicates = sum(max(outcome.delivered - 1, 0) for outcome in outcomes)
    lost = sum(outcome.delivered == 0 for outcome in outcomes)
    unknown = sum(outcome.was_unknown for outcome in outcomes)
    return (
        f"{len(outcomes)} cases: {len(troubles)} troubles at {len(places)} calls, "
        f"{failed} failed, {duplicates} duplicates, {lost} lost, "
        f"{unknown} unknown, each a pull whose init was not answered"
    )
