"""Runs of `sweep_storage`, and what each says that it found and did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.proof.play import Play
from tests.proof.runs import Runs

SWEEP: Final = "sweep_storage"


@dataclass(frozen=True)
class Swept:
    """What one run found, by reason, and how much of it was deleted."""

    orphan: int
    quarantine: int
    deleted: int
    retention: int = 0


def sweep(play: Play, dag: Runs, **conf: Any) -> Swept:
    """Start a run, and wait until it has ended well."""
    run_id = dag.trigger(**conf)
    play.wait_told(lambda: dag.state_of(run_id) == "success", "the sweep to end")
    said = dag.returned(run_id, SWEEP)
    assert said["dry_run"] == conf.get("dry_run", False)
    found = said["found"]
    return Swept(found["orphan"], found["quarantine"], said["deleted"], found["retention"])
