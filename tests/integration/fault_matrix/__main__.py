"""``make fault-matrix``: every case, one line each, and a summary; 1 if a case failed."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.integration.fault_matrix.catalogue import Case, every_case
from tests.integration.fault_matrix.trial import Outcome, bench


def main(words: list[str]) -> int:
    """Play the cases whose names hold all the words."""
    logging.disable()
    cases = [case for case in every_case() if all(word in str(case) for word in words)]
    outcomes: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="reelflow-faults-") as folder,
        bench(Path(folder)) as it,
    ):
        for case in cases:
            outcomes.append(it.play(case))
            _print(case, outcomes[-1])
    print(_summary(cases, outcomes))
    return any(outcome.problems for outcome in outcomes)


def _print(case: Case, outcome: Outcome) -> None:
    print(f"{'FAIL' if outcome.problems else 'ok':5}{case}: {' > '.join(outcome.way)}", flush=True)
    for problem in outcome.problems:
        print(f"     {problem}", flush=True)


def _summary(cases: Iterable[Case], outcomes: list[Outcome]) -> str:
    places = {(case.place.name, case.mode) for case in cases}
    troubles = {case.trouble.name for case in cases}
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    duplicates = sum(max(outcome.delivered - 1, 0) for outcome in outcomes)
    unknown = sum(outcome.was_unknown for outcome in outcomes)
    return (
        f"{len(outcomes)} cases: {len(troubles)} troubles at {len(places)} calls, "
        f"{failed} failed, {duplicates} duplicates, "
        f"{unknown} unknown, each a pull whose init was not answered"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
