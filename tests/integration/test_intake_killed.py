"""The server of the intake, killed with -9 at random moments: what it promised stays, and no more.

``make test`` plays few rounds, ``make intake-kills`` a hundred.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.storage.stores import S3Server
from tests.integration.intake_server import local_settings, s3_settings
from tests.integration.killed_intake import Scene

#: Of all stores together.
ROUNDS: Final = int(os.environ.get("INTAKE_KILLS", "8"))
MANY: Final = 100
KINDS: Final = ("all", "finalize")


@pytest.fixture(params=["local", "s3"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Scene]:
    settings = local_settings(tmp_path, database_url)
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("intake_s3")
        server.reset()
        settings = s3_settings(tmp_path, database_url, server, server.new_bucket())
    scene = Scene(settings, seed=ROUNDS)
    try:
        yield scene
    finally:
        scene.stop()


def test_a_killed_server_keeps_what_it_acknowledged_and_leaves_no_orphan(scene: Scene) -> None:
    for kind in KINDS:
        scene.play(kind, kill=False)  # tells how long it takes
    for number in range(max(1, ROUNDS // 4)):
        for kind in KINDS:
            try:
                scene.play(kind)
            except BaseException as error:
                error.add_note(f"in round {number} of {kind}")
                raise
    told = ", ".join(f"{count} {state}" for state, count in sorted(scene.found.items()))
    print(f"\nof the uploads of {2 * (number + 1)} kills were: {told}")
    # Every kind of moment is among so many.
    assert ROUNDS < MANY or {"open", "finishing", "finished"} <= scene.found.keys()
