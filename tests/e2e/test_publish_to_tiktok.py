"""The DAG under real Airflow processes against the simulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.stack import DAG_ID
from tests import media_files
from tests.e2e.scene import RUNS, UPLOAD_TASK, Scene

CHUNKED_BYTES = 70_000_000  # two chunks
PUBLIC = {"privacy_level": "PUBLIC_TO_EVERYONE"}


def test_files_are_published_by_an_event_run_and_one_bad_file_stops_no_other(scene: Scene) -> None:
    good = [
        scene.drop("aurora.kitchen", "plain.mp4"),
        scene.drop("north.trail", "told.mp4", sidecar={**PUBLIC, "caption": "Hello #reelflow"}),
        scene.drop("paper.moon", "draft.mp4", sidecar={"mode": "draft"}),
    ]
    text = scene.drop("aurora.kitchen", "notes.mp4", data=b"not a video at all")
    sidecar = scene.drop("north.trail", "typo.mp4", sidecar={"privcy_level": "SELF_ONLY"})
    avi = scene.drop("paper.moon", "old.avi", data=media_files.mpeg4_avi().read_bytes())

    scene.wait_for([*good, text, sidecar, avi])
    scene.wait_for_runs_to_end()

    states = [scene.post(name)["state"] for name in good]
    assert states == ["PUBLISHED", "PUBLISHED", "IN_INBOX"]
    for name in good:
        post = scene.post(name)
        assert scene.received(post["publish_id"]) == scene.original(name)
        assert (scene.stack.folders.reelflow_home / post["thumbnail_path"]).is_file()
    published = {one["publish_id"]: one["post_id"] for one in scene.published()}
    assert scene.post(good[0])["post_id"] == published[scene.post(good[0])["publish_id"]]
    told = scene.post(good[1])["publish_id"]
    uploads = {one["publish_id"]: one for one in scene.simulator("GET", "/uploads")["uploads"]}
    assert uploads[told]["post_info"]["title"] == "Hello #reelflow"

    for name, rule in ((text, "type"), (sidecar, "sidecar"), (avi, "container")):
        post = scene.post(name)
        assert (post["state"], post["reason_code"]) == ("REJECTED", rule)
        folder = scene.stack.folders.reelflow_home / "quarantine" / post["account"]
        reason = json.loads((folder / f"{post['id']}.reason.json").read_text())
        assert reason["file"] == name
        assert reason["violations"][0]["fix"]
    assert "ffmpeg -i" in scene.post(avi)["fix"]

    runs = scene.runs()
    assert {run["run_type"] for run in runs} <= {"asset_triggered", "scheduled"}
    task = scene.task_of(text, "publish_post.validate")
    assert task["state"] == "failed"
    run = next(run for run in runs if run["dag_run_id"] == task["dag_run_id"])
    assert run["state"] == "failed", "a run with a rejected post asks for a person"
    announced = [event["post_id"] for event in scene.published_events()]
    assert sorted(announced) == sorted(scene.post(name)["id"] for name in good)


def test_a_cleared_run_posts_nothing_twice(scene: Scene) -> None:
    names = [scene.drop("aurora.kitchen", "one.mp4"), scene.drop("city.loops", "two.mp4")]
    scene.wait_for(names)
    scene.wait_for_runs_to_end()
    before, announced = scene.published(), scene.published_events()
    run_id = scene.task_of(names[0], UPLOAD_TASK)["dag_run_id"]

    scene.clear_run(run_id)
    scene.wait(lambda: scene.runs_state(run_id) not in ("success", "failed"), "the run to begin")
    scene.wait_for_runs_to_end()

    assert scene.published() == before
    assert scene.published_events() == announced
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    assert scene.runs_state(run_id) == "success"


def test_an_upload_cleared_after_its_first_chunk_resumes_the_same_publication(
    scene: Scene,
) -> None:
    scene.simulator("POST", "/hold", {"chunk": 0, "when": "after"})
    name = scene.drop("paper.moon", "cleared.mp4", size_bytes=CHUNKED_BYTES)
    scene.wait(lambda: scene.simulator("GET", "/held")["held"], "the first chunk to be stored")
    publish_id = scene.post(name)["publish_id"]

    scene.clear_task(scene.task_of(name, UPLOAD_TASK))
    scene.wait(lambda: scene.post(name)["acknowledged_bytes"] > 0, "the upload to go on")
    scene.simulator("POST", "/release")
    scene.wait_for([name])

    assert scene.post(name)["state"] == "PUBLISHED"
    assert scene.post(name)["publish_id"] == publish_id
    assert scene.received(publish_id) == scene.original(name)
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    scene.wait_for_runs_to_end()


@pytest.mark.parametrize("chunk", [0, -1], ids=["between two chunks", "after the last one"])
def test_a_worker_killed_during_an_upload_loses_and_doubles_nothing(
    scene: Scene, chunk: int
) -> None:
    account = "north.trail" if chunk == 0 else "city.loops"
    scene.simulator("POST", "/hold", {"chunk": chunk, "when": "after"})
    name = scene.drop(account, "killed.mp4", size_bytes=CHUNKED_BYTES)
    scene.wait(lambda: scene.simulator("GET", "/held")["held"], "the chunk to be stored")
    publish_id = scene.post(name)["publish_id"]
    assert scene.post(name)["state"] == ("UPLOADING" if chunk == 0 else "COMMITTING")

    scene.kill_worker_of(scene.task_of(name, UPLOAD_TASK))
    scene.simulator("POST", "/release")
    scene.wait_for([name], deadline_s=240)

    assert scene.post(name)["state"] == "PUBLISHED"
    assert scene.post(name)["publish_id"] == publish_id
    assert scene.received(publish_id) == scene.original(name)
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    scene.wait_for_runs_to_end()


def test_a_missed_post_is_published_by_a_backfill_over_its_day(scene: Scene) -> None:
    wished = datetime.now(UTC) - timedelta(days=3)
    name = scene.drop("aurora.kitchen", "missed.mp4", sidecar={"publish_at": wished.isoformat()})
    scene.wait_for([name], {"MISSED"})
    scene.wait_for_runs_to_end()
    day = wished.date()

    scene.stack.run_airflow(
        *("backfill", "create", "--dag-id", DAG_ID, "--reprocess-behavior", "none"),
        *("--from-date", f"{day}T00:00:00", "--to-date", f"{day + timedelta(days=1)}T00:00:00"),
    )
    scene.wait_for([name])
    assert scene.post(name)["state"] == "PUBLISHED"
    scene.wait_for_runs_to_end()
    run_id = scene.task_of(name, UPLOAD_TASK)["dag_run_id"]
    assert next(one for one in scene.runs() if one["dag_run_id"] == run_id)["run_type"] == "backfill"
    assert scene.simulator("GET", "/posts")["duplicates"] == 0


def test_a_manual_run_without_a_logical_date_finds_nothing_and_succeeds(scene: Scene) -> None:
    run_id = scene.stack.api("POST", RUNS, {"logical_date": None})["dag_run_id"]
    scene.wait(lambda: scene.runs_state(run_id) in ("success", "failed"), "the run to end")
    assert scene.runs_state(run_id) == "success"


def test_held_future_and_unknown_files_make_no_event_and_no_run_for_three_minutes(
    scene: Scene,
) -> None:
    held = scene.drop("quiet.harbor", "held.mp4")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    future = scene.drop("aurora.kitchen", "future.mp4", sidecar={"publish_at": tomorrow})
    unknown = scene.drop("nobody", "lost.mp4")
    scene.wait_for([held], {"HELD"})
    scene.wait_for([future], {"READY"})
    scene.wait_for_runs_to_end()
    events, runs = scene.wake_ups(), len(scene.runs())

    ends_at = datetime.now(UTC) + timedelta(minutes=3)
    scene.wait(lambda: datetime.now(UTC) >= ends_at, "three minutes to pass", deadline_s=200)

    assert (scene.wake_ups(), len(scene.runs())) == (events, runs)
    assert (scene.stack.inbox / "nobody" / unknown).is_file()
    assert "privacy" in scene.post(held)["reason"]
    assert "reelflow posts release" in scene.post(held)["fix"]


def test_no_secret_is_in_any_log_or_result(scene: Scene, stack_folder_tokens: list[str]) -> None:
    readable = [
        path
        for path in scene.stack.folders.root.rglob("*")
        if path.is_file() and path.suffix != ".key" and path.name != "passwords.json"
    ]
    leaks = [path for path in readable if _contains(path, stack_folder_tokens)]
    assert not leaks


@pytest.fixture
def stack_folder_tokens(scene: Scene) -> list[str]:
    tokens = [account.access_token for account in scene.stack.running_simulator().accounts]
    return [*tokens, scene.stack.environment["REELFLOW_FERNET_KEY"], "upload_token="]


def _contains(path: Path, secrets: list[str]) -> bool:
    data = path.read_bytes()
    return path.name != "simulator.log" and any(secret.encode() in data for secret in secrets)
