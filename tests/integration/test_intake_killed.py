"""Servers of the intake, killed with -9 at random moments: what they promised stays, and no more.

``make test`` plays few rounds, ``make intake-kills`` a hundred on each of both.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.integration.killed_intake import Scene
from tests.integration.killed_server import IS_FULL, KILLS, KilledServer, rounds_of

SERVERS: Final = (
    [
        "serve-local-sqlite",
        "serve-local-postgresql",
        "serve-s3-sqlite",
        "serve-s3-postgresql",
        "plugin-local-sqlite",
        "plugin-s3-postgresql",
    ]
    if IS_FULL
    else ["serve-local-sqlite", "serve-s3-postgresql"]
)
KINDS: Final = ("all", "finalize")


@pytest.mark.parametrize(
    ("name", "killed"), list(zip(SERVERS, SERVERS, strict=True)), indirect=["killed"]
)
def test_a_killed_server_keeps_what_it_acknowledged_and_leaves_no_orphan(
    name: str, killed: KilledServer
) -> None:
    rounds = rounds_of(name, SERVERS, KILLS // len(KINDS))
    scene = Scene(killed, seed=rounds)
    for kind in KINDS:
        scene.play(kind, kill=False)  # tells how long it takes
    for number in range(rounds):
        for kind in KINDS:
            try:
                scene.play(kind)
            except BaseException as error:
                error.add_note(f"in round {number} of {kind}")
                raise
    told = ", ".join(f"{count} {state}" for state, count in sorted(scene.found.items()))
    print(f"\n{name}: of the uploads of {len(KINDS) * rounds} kills were {told}")
    # Every kind of moment is among so many.
    assert not IS_FULL or {"open", "finishing", "finished"} <= scene.found.keys()
