"""Media prepared ahead of time, under real Airflow processes against the simulator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from demo.stack import Stack
from tests.e2e.conftest import UNDECIDED
from tests.e2e.scene import ENDED, Scene

RUNS = "/api/v2/dags/prepare_media/dagRuns"


@dataclass(frozen=True)
class Prepared:
    """Files that nobody publishes yet: two of next week, and one without a privacy level."""

    scene: Scene
    bad: str
    good: str
    held: str

    def shown(self, name: str) -> dict[str, Any]:
        """Return a file's post as ``reelflow posts show --json`` tells it."""
        post_id = str(self.scene.post(name)["id"])
        told: dict[str, Any] = json.loads(
            self.scene.stack.run_reelflow("posts", "show", post_id, "--json")
        )
        return told

    def pictures(self, name: str) -> list[bool]:
        """Return of each candidate of a file whether it is there, and of its cover."""
        shown, home = self.shown(name), self.scene.stack.folders.reelflow_home
        keys = [*(one["key"] for one in shown["candidates"]), shown["thumbnail_path"] or "no cover"]
        return [(home / key).is_file() for key in keys]


def runs(stack: Stack) -> list[dict[str, Any]]:
    return stack.airflow.dag_runs("prepare_media")


def tasks(stack: Stack) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the state of each mapped task and of its run, by its file and its own name."""
    return {
        (task["rendered_map_index"], task["task_id"].rpartition(".")[2]): (
            task["state"],
            run["state"],
        )
        for run in runs(stack)
        for task in stack.api("GET", f"{RUNS}/{run['dag_run_id']}/taskInstances", limit=200)[
            "task_instances"
        ]
    }


@pytest.fixture(scope="module")
def prepared(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    scene = Scene(stack, tmp_path_factory.mktemp("prepared"))
    week = {"publish_at": (datetime.now(UTC) + timedelta(days=7)).isoformat()}
    prepared = Prepared(
        scene,
        bad=scene.drop("aurora.kitchen", "bad.mp4", data=b"not a video at all", sidecar=week),
        good=scene.drop("north.trail", "good.mp4", sidecar=week),
        held=scene.drop(UNDECIDED, "held.mp4"),
    )
    scene.wait_for([prepared.bad], {"REJECTED"})
    wanted = {(name, "generate_thumbnail") for name in (prepared.good, prepared.held)}
    scene.wait(lambda: wanted <= set(tasks(stack)), "a run to take the good files")
    scene.wait(
        lambda: all(run["state"] in ENDED for run in runs(stack)), "all preparing runs to end"
    )
    return prepared


def test_next_weeks_bad_file_is_rejected_today_and_makes_its_run_red(prepared: Prepared) -> None:
    post = prepared.scene.post(prepared.bad)
    assert (post["state"], post["reason_code"]) == ("REJECTED", "type")
    assert tasks(prepared.scene.stack)[prepared.bad, "validate"] == ("failed", "failed")
    types = {run["run_type"] for run in runs(prepared.scene.stack)}
    assert types == {"asset_triggered"}


def test_next_weeks_good_file_has_its_pictures_and_is_not_posted(prepared: Prepared) -> None:
    post = prepared.scene.post(prepared.good)
    assert (post["state"], post["publish_id"]) == ("READY", None)
    assert prepared.pictures(prepared.good) == [True] * 5
    assert prepared.shown(prepared.good)["metadata"]["video_codec"] == "h264"


def test_videos_are_read_by_children_of_the_one_fork_server_of_the_scheduler(
    prepared: Prepared,
) -> None:
    components = prepared.scene.stack.components
    scheduler = next(one.identity.pid for one in components if one.name == "scheduler")
    (server,) = [
        one
        for one in psutil.Process(scheduler).children()  # tasks' children look the same
        if "reelflow.sandbox.inside.fork_server" in one.cmdline()
    ]
    used = server.cpu_times()
    assert used.children_user + used.children_system > 0


def test_a_held_file_has_its_pictures_for_whoever_releases_it(prepared: Prepared) -> None:
    post = prepared.scene.post(prepared.held)
    assert (post["state"], post["publish_id"]) == ("HELD", None)
    assert prepared.pictures(prepared.held) == [True] * 5


def test_a_cleared_run_finds_its_work_done_and_sends_nothing(prepared: Prepared) -> None:
    scene, stack = prepared.scene, prepared.scene.stack
    before = {name: prepared.shown(name) for name in (prepared.good, prepared.held)}
    sent = scene.simulator("GET", "/uploads")["uploads"]
    for run in runs(stack):
        stack.api("POST", f"{RUNS}/{run['dag_run_id']}/clear", {"dry_run": False})
    scene.wait(lambda: all(run["state"] in ENDED for run in runs(stack)), "all cleared runs to end")
    assert {name: prepared.shown(name) for name in before} == before
    for name in before:
        assert tasks(stack)[name, "generate_thumbnail"][0] == "success"
    assert scene.simulator("GET", "/uploads")["uploads"] == sent
