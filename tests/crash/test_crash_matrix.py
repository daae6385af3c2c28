"""The short form of the crash matrix: the calls that TikTok acts upon, and the COMMITs around."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.crash.cases import FollowUp, one_case_a_point
from tests.crash.matrix import KINDS, SHORT, Matrix
from tests.crash.stage import ACCOUNTS, open_stage

#: TikTok publishes without a delay, so no task waits: Airflow's waits would take most of the time.
AT_ONCE = ("--processing-polls", "0", "--link-polls", "0")

#: Each takes 0.7 s of a processor to add; two or three posts go to each of them.
FEW_ACCOUNTS = 5


def test_a_post_killed_around_its_init_and_its_bytes_is_published_once() -> None:
    lines: list[str] = []
    with (
        # Not in pytest's folder: the path of a socket is short.
        tempfile.TemporaryDirectory(prefix="crash-", ignore_cleanup_errors=True) as folder,
        open_stage(
            Path(folder), simulator_arguments=AT_ONCE, accounts=ACCOUNTS[:FEW_ACCOUNTS]
        ) as stage,
    ):
        matrix = Matrix(stage, lines.append)
        points = matrix.find_points([SHORT])
        matrix.play(one_case_a_point(points, KINDS, list(FollowUp)), points=points, apart=False)
        is_good = matrix.finish()
    assert is_good, "\n".join(lines)
    assert {point.what.split()[1] for point in points} == {"COMMIT", "POST", "PUT"}
    assert len(points) >= 10
