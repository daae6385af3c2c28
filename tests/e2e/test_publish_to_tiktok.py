"""The DAG under real Airflow processes against the simulator."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from demo.stack import DAG_ID, Stack
from tests import media_files
from tests.e2e.intake_flows import FLOWS, Sender, servers_of
from tests.e2e.scene import ENDED, RUNS, UPLOAD_TASK, Scene

CHUNKED_BYTES = 70_000_000  # two chunks
#: Longer than the minute after which a watcher wakes its DAG again for the same work.
QUIET_S = int(os.environ.get("QUIET_S", "75"))
TOLD = {"caption": "Hello #reelflow", "cover_timestamp_ms": 700}


@dataclass(frozen=True)
class First:
    """The files of the first drop, by what is wrong with them."""

    scene: Scene
    plain: str
    told: str
    draft: str
    text: str
    typo: str
    avi: str

    @property
    def good(self) -> list[str]:
        return [self.plain, self.told, self.draft]

    @property
    def bad(self) -> list[str]:
        return [self.text, self.typo, self.avi]


@pytest.fixture(scope="module")
def first(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> First:
    """Three good files and three bad ones, dropped together and followed to their end."""
    scene = Scene(stack, tmp_path_factory.mktemp("first"))
    first = First(
        scene,
        plain=scene.drop("aurora.kitchen", "plain.mp4"),
        told=scene.drop("north.trail", "told.mp4", sidecar=TOLD),
        draft=scene.drop("paper.moon", "draft.mp4", sidecar={"mode": "draft"}),
        text=scene.drop("aurora.kitchen", "notes.mp4", data=b"not a video at all"),
        typo=scene.drop("north.trail", "typo.mp4", sidecar={"privcy_level": "SELF_ONLY"}),
        avi=scene.drop("paper.moon", "old.avi", data=media_files.mpeg4_avi().read_bytes()),
    )
    scene.wait_for([*first.good, *first.bad])
    scene.wait_for_runs_to_end()
    return first


def test_good_files_are_published_byte_for_byte(first: First) -> None:
    scene = first.scene
    states = [scene.post(name)["state"] for name in first.good]
    assert states == ["PUBLISHED", "PUBLISHED", "IN_INBOX"]
    for name in first.good:
        post = scene.post(name)
        assert scene.received(post["publish_id"]) == scene.original(name)
        assert (scene.stack.folders.reelflow_home / post["thumbnail_path"]).is_file()
    published = {one["publish_id"]: one["post_id"] for one in scene.published()}
    plain = scene.post(first.plain)
    assert plain["post_id"] == published[plain["publish_id"]]
    uploads = {one["publish_id"]: one for one in scene.simulator("GET", "/uploads")["uploads"]}
    told = uploads[scene.post(first.told)["publish_id"]]
    said = told["post_info"]
    assert (said["title"], said["video_cover_timestamp_ms"]) == tuple(TOLD.values())
    assert not scene.kept() & {scene.original(name) for name in first.good}


def test_a_bad_file_is_rejected_with_its_reason_and_stops_no_other(first: First) -> None:
    scene = first.scene
    for name, rule in ((first.text, "type"), (first.typo, "sidecar"), (first.avi, "container")):
        post = scene.post(name)
        assert (post["state"], post["reason_code"]) == ("REJECTED", rule)
        folder = scene.stack.folders.reelflow_home / "quarantine" / post["account"]
        reason = json.loads((folder / f"{post['id']}.reason.json").read_text())
        assert reason["file"] == name
        assert reason["violations"][0]["fix"]
    assert "ffmpeg -i" in scene.post(first.avi)["fix"]


def test_a_rejected_post_makes_its_task_and_its_run_red(first: First) -> None:
    scene = first.scene
    for name in first.bad:
        task = scene.task_of(name, "publish_post.validate")
        assert task["state"] == "failed"
        run = scene.stack.api("GET", f"{RUNS}/{task['dag_run_id']}")
        assert (run["run_type"], run["state"]) == ("asset_triggered", "failed")


def test_each_published_post_is_announced_once(first: First) -> None:
    announced = sorted(event["post_id"] for event in first.scene.published_events())
    assert announced == sorted(first.scene.post(name)["id"] for name in first.good)


def test_a_cleared_run_posts_and_announces_nothing_twice(first: First) -> None:
    scene = first.scene
    before, announced = scene.published(), scene.published_events()
    run_id = scene.task_of(first.plain, UPLOAD_TASK)["dag_run_id"]

    scene.clear_run(run_id)
    scene.wait(lambda: scene.run_state(run_id) not in ENDED, "the run to begin again")
    scene.wait_for_runs_to_end()

    assert scene.published() == before
    assert scene.published_events() == announced
    assert scene.simulator("GET", "/posts")["duplicates"] == 0


def test_photos_and_pulled_videos_go_the_same_way(scene: Scene) -> None:
    caption = "Three from the trail \N{SNOW CAPPED MOUNTAIN}"
    shown = {"caption": caption, "title": "Trail", "cover_index": 1}
    photos, images = scene.drop_photos("north.trail", "trail", count=3, sidecar=shown)
    draft, _ = scene.drop_photos("paper.moon", "moon", count=1, sidecar={"mode": "draft"})
    scene.stack.run_reelflow("accounts", "set", "city.loops", "--video-source", "pull")
    pulled = scene.drop("city.loops", "pulled.mp4", sidecar={"caption": "Pulled"})
    scene.wait_for([photos, draft, pulled])
    scene.wait_for_runs_to_end()
    scene.stack.run_reelflow("accounts", "set", "city.loops", "--video-source", "upload")

    states = [scene.post(name)["state"] for name in (photos, draft, pulled)]
    assert states == ["PUBLISHED", "IN_INBOX", "PUBLISHED"]
    uploads = {one["publish_id"]: one for one in scene.simulator("GET", "/uploads")["uploads"]}
    sent = uploads[scene.post(photos)["publish_id"]]
    assert sent["images"] == [sha256(one).hexdigest() for one in images]
    assert (sent["post_info"]["description"], sent["post_info"]["title"]) == (caption, "Trail")
    assert sent["cover_index"] == 1
    assert uploads[scene.post(pulled)["publish_id"]]["source"] == "PULL_FROM_URL"
    assert scene.received(scene.post(pulled)["publish_id"]) == scene.original(pulled)
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    assert not scene.kept() & {*images, scene.original(pulled)}
    assert scene.task_of(photos, UPLOAD_TASK)["state"] == "success"


def test_what_comes_over_http_is_published_byte_for_byte(scene: Scene) -> None:
    """Each way in, through `reelflow serve` and through Airflow's API server."""
    sent = [
        flow(Sender(client, scene.folder, account))
        for account, client in zip(
            ("north.trail", "paper.moon"), servers_of(scene.stack), strict=True
        )
        for flow in FLOWS
    ]
    scene.wait_for_posts([one.post_id for one in sent])
    scene.wait_for_runs_to_end()

    posts = {post["id"]: post for post in scene.stack.posts()}
    assert [posts[one.post_id]["state"] for one in sent] == ["PUBLISHED"] * len(sent)
    uploads = {one["publish_id"]: one for one in scene.simulator("GET", "/uploads")["uploads"]}
    for one in sent:
        publish_id = posts[one.post_id]["publish_id"]
        if one.images:
            assert uploads[publish_id]["images"] == one.image_hashes
        else:
            assert scene.received(publish_id) == one.video
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    assert not scene.kept() & {one.video for one in sent}


def test_uploads_cleared_or_killed_at_any_chunk_resume_the_same_publication(scene: Scene) -> None:
    scene.simulator("POST", "/hold", {"chunk": -1, "when": "after"})
    killed_last = scene.drop("city.loops", "killed-last.mp4", size_bytes=CHUNKED_BYTES)
    scene.wait(
        lambda: scene.received_bytes(killed_last) == CHUNKED_BYTES, "the last chunk to be stored"
    )
    scene.simulator("POST", "/hold", {"chunk": 0, "when": "after"})
    scene.simulator("POST", "/hold", {"chunk": 0, "when": "after"})
    cleared = scene.drop("paper.moon", "cleared.mp4", size_bytes=CHUNKED_BYTES)
    killed = scene.drop("north.trail", "killed.mp4", size_bytes=CHUNKED_BYTES)
    scene.wait(
        lambda: all(0 < scene.received_bytes(name) < CHUNKED_BYTES for name in (cleared, killed)),
        "the first chunk of both to be stored",
    )
    names = [killed_last, cleared, killed]
    before = {name: scene.post(name)["publish_id"] for name in names}
    states = [scene.post(name)["state"] for name in names]
    assert states == ["COMMITTING", "UPLOADING", "UPLOADING"]

    scene.kill_worker_of(scene.task_of(killed_last, UPLOAD_TASK))
    scene.kill_worker_of(scene.task_of(killed, UPLOAD_TASK))
    scene.clear_task(scene.task_of(cleared, UPLOAD_TASK))
    scene.simulator("POST", "/release")
    scene.wait_for(names, deadline_s=240)

    for name in names:
        post = scene.post(name)
        assert (post["state"], post["publish_id"]) == ("PUBLISHED", before[name])
        assert scene.received(before[name]) == scene.original(name)
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
    assert (
        next(one for one in scene.runs() if one["dag_run_id"] == run_id)["run_type"] == "backfill"
    )
    assert scene.simulator("GET", "/posts")["duplicates"] == 0


def test_a_manual_run_without_a_logical_date_finds_nothing_and_succeeds(scene: Scene) -> None:
    run_id = scene.stack.api("POST", RUNS, {"logical_date": None})["dag_run_id"]
    scene.wait(lambda: scene.run_state(run_id) in ENDED, "the run to end")
    assert scene.run_state(run_id) == "success"


def test_held_future_and_unknown_files_make_no_event_and_no_run(
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

    ends_at = datetime.now(UTC) + timedelta(seconds=QUIET_S)
    scene.wait(lambda: datetime.now(UTC) >= ends_at, "the quiet to end", deadline_s=QUIET_S + 20)

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
