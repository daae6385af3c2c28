"""``python -m tests.crash``: the whole crash matrix; exits with 1 unless every case is good."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from demo.processes import exit_on_signals
from tests.crash.cases import FollowUp, every_case
from tests.crash.matrix import KINDS, Matrix
from tests.crash.stage import open_stage


def main() -> int:
    """Run the matrix, or the part of it that the options name."""
    options = _parse()
    exit_on_signals()
    started = time.monotonic()

    def tell(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - started:5.0f} s] {line}\n")
        sys.stdout.flush()

    with (
        tempfile.TemporaryDirectory(prefix="crash-", ignore_cleanup_errors=True) as folder,
        open_stage(Path(folder), simulator_arguments=("--link-polls", "0")) as stage,
    ):
        matrix = Matrix(stage, tell)
        points = matrix.find_points([KINDS[name] for name in options.kind or KINDS])
        chosen = points[:: options.every]
        tell(f"{len(points)} points seen, {len(chosen)} of them to be killed at")
        cases = every_case(chosen, KINDS, list(FollowUp))
        if options.follow_up:
            cases = [case for case in cases if case.follow_up in options.follow_up]
            chosen = [one for one in chosen if one in {case.point for case in cases}]
        matrix.play(cases, points=chosen)
        return 0 if matrix.finish() else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--follow-up", action="append", choices=list(FollowUp), help="only this")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth point")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
