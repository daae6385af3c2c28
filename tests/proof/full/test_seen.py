"""What an operator sees of posts on real processes: links, notes, metrics, alerts, events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.stack import DAG_ID
from tests.e2e.scene import RUNS, Scene
from tests.proof.play import ENDLESS_S, Play
from tests.proof.receiver import SECRETS, Receiver
from tests.proof.stack import HEALTHY_S, ProofStack
from tests.statsd_listener import StatsdListener

ACCOUNT = "aurora.kitchen"
FOLLOWER = "follow_published"
STAGES = (
    *("validate", "extract_metadata", "generate_thumbnail", "upload_to_tiktok"),
    *("wait_for_publish", "clean_up_files"),
)


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsdListener]:
    with StatsdListener() as listener:
        yield listener


@dataclass(frozen=True)
class Seen:
    """What became of one post that was published and of another that was rejected."""

    scene: Scene
    published: dict[str, Any]
    rejected: dict[str, Any]

    def run_of(self, post: dict[str, Any]) -> dict[str, Any]:
        task = self.scene.task_of(post["file_name"], "publish_post.validate")
        run: dict[str, Any] = self.scene.stack.api("GET", f"{RUNS}/{task['dag_run_id']}")
        return run


@pytest.fixture(scope="module")
def play(stack: ProofStack, receiver: Receiver, statsd: StatsdListener) -> Iterator[Play]:
    """A case on a stack that sends alerts and metrics."""
    sends = {**statsd.environment, **receiver.environment, "REELFLOW_LATE_AFTER_MIN": "1"}
    play = Play(stack)
    play.begin()
    with stack.settings(sends, "scheduler", "dag-processor", "triggerer"):
        stack.wait_healthy(HEALTHY_S)
        yield play


@pytest.fixture(scope="module")
def seen(play: Play, stack: ProofStack, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    scene = Scene(stack, tmp_path_factory.mktemp("files"))
    # TikTok's first answer is that it cannot, and to come again in a moment.
    fault = {"call": "init", "kind": "error", "status": 503, "retry_after_s": 1}
    play.simulator("POST", "/fault", fault)
    good = scene.drop(ACCOUNT, "good.mp4")
    bad = scene.drop(ACCOUNT, "bad.mp4", data=b"not a video at all")
    scene.wait_for([good, bad])
    scene.wait_for_runs_to_end()
    return Seen(scene, scene.post(good), scene.post(bad))


def links_of(seen: Seen, stage: str, post: dict[str, Any]) -> dict[str, str | None]:
    task = seen.scene.task_of(post["file_name"], f"publish_post.{stage}")
    path = f"{RUNS}/{task['dag_run_id']}/taskInstances/{task['task_id']}/links"
    found = seen.scene.stack.api("GET", path, map_index=task["map_index"])
    links: dict[str, str | None] = found["extra_links"]
    return links


def opened(stack: ProofStack, url: str) -> requests.Response:
    """Open an address as the browser of somebody who is logged in to Airflow."""
    login = {"username": "admin", "password": stack.password}
    with requests.Session() as browser:
        browser.trust_env = False
        token = browser.post(f"{stack.url}/auth/token", json=login, timeout=30).json()
        cookies = {"_token": token["access_token"]}
        return browser.get(url, cookies=cookies, timeout=30, allow_redirects=False)


def test_each_link_leads_to_what_it_says(seen: Seen, stack: ProofStack) -> None:
    links = links_of(seen, "upload_to_tiktok", seen.published)
    assert set(links) == {"Post on TikTok", "Thumbnail", "Post's story", "TikTok simulator"}
    assert str(links["Post on TikTok"]).startswith("https://www.tiktok.com/@")
    assert links["Post on TikTok"] == seen.published["link"]
    picture = opened(stack, str(links["Thumbnail"]))
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/jpeg")
    assert picture.content.startswith(b"\xff\xd8")
    story = opened(stack, str(links["Post's story"]))
    assert (story.status_code, story.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f"Post {seen.published['id']}: PUBLISHED" in story.text
    simulator = opened(stack, str(links["TikTok simulator"]))
    assert simulator.status_code == 200
    assert seen.published["publish_id"] in simulator.text


def test_they_are_on_every_task_of_a_post_and_not_where_there_is_nothing(seen: Seen) -> None:
    for stage in STAGES:
        assert links_of(seen, stage, seen.published)["Post's story"]
    links = links_of(seen, "validate", seen.rejected)
    assert (links["Post on TikTok"], links["Thumbnail"]) == (None, None)
    assert str(links["Post's story"]).endswith(f"/posts/{seen.rejected['id']}/page")


def test_tasks_make_no_link_themselves(seen: Seen) -> None:
    task = seen.scene.task_of(seen.published["file_name"], "publish_post.wait_for_publish")
    path = f"{RUNS}/{task['dag_run_id']}/taskInstances/{task['task_id']}/xcomEntries"
    found = seen.scene.stack.api("GET", path, map_index=task["map_index"])["xcom_entries"]
    assert found == []


def test_every_task_tells_what_it_is(stack: ProofStack) -> None:
    tasks = stack.api("GET", f"/api/v2/dags/{DAG_ID}/tasks")["tasks"]
    assert len(tasks) == 9
    assert all("**When it is red.**" in task["doc_md"] for task in tasks)


def test_rendered_fields_have_ids_and_names_of_connections_alone(seen: Seen) -> None:
    runs = {seen.run_of(post)["dag_run_id"] for post in (seen.published, seen.rejected)}
    tasks = [task for run_id in runs for task in seen.scene.task_instances(run_id)]
    fields: dict[str, Any] = {}
    for task in tasks:
        path = f"{RUNS}/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        path += f"/{task['map_index']}" if task["map_index"] >= 0 else ""
        for name, value in seen.scene.stack.api("GET", path)["rendered_fields"].items():
            fields.setdefault(name, []).append(value)
    assert set(fields) == {"post_id", "tiktok_conn_id", "batch"}
    assert set(fields["tiktok_conn_id"]) == {"tiktok_app"}
    assert set(fields["post_id"]) == {seen.published["id"], seen.rejected["id"]}


def test_the_run_s_note_says_what_became_of_its_posts(seen: Seen) -> None:
    note = seen.run_of(seen.published)["note"]
    assert note.startswith("Reelflow: ")
    assert "1 PUBLISHED" in note
    note = seen.run_of(seen.rejected)["note"]
    assert "1 REJECTED" in note.partition("\n")[0]
    assert seen.rejected["file_name"] in note


def test_people_are_told_of_the_post_that_was_rejected_once(
    seen: Seen, receiver: Receiver, stack: ProofStack
) -> None:
    seen.scene.wait(lambda: receiver.about(seen.rejected["file_name"]), "the alert")
    (message,) = receiver.about(seen.rejected["file_name"])
    assert (message["event"], message["post_id"]) == ("post.rejected", seen.rejected["id"])
    assert message["run_url"].startswith(f"{stack.url}/dags/{DAG_ID}/runs/")
    assert opened(stack, message["post_url"]).status_code == 200
    assert receiver.about(seen.published["file_name"]) == []


def test_metrics_come_from_the_processes_of_tasks(seen: Seen, statsd: StatsdListener) -> None:
    size_bytes = float(seen.published["size_bytes"])
    assert (size_bytes, "c") in statsd.wait_for("airflow.reelflow.bytes_sent")
    assert statsd.wait_for("airflow.reelflow.chunk")[0][1] == "ms"
    assert statsd.wait_for("airflow.reelflow.retries") == [(1.0, "c")]
    for name in ("posts.published", "posts.rejected", "posts.announced", "alerts"):
        seen.scene.wait(
            lambda name=name: 1.0 in [v for v, _ in statsd.values(f"airflow.reelflow.{name}")],
            name,
        )
    for name in ("queue.due", "queue.age_s", "posts.stuck", "budget_left.init.aurora_kitchen"):
        assert statsd.wait_for(f"airflow.reelflow.{name}")[0][1] == "g"


def test_another_dag_follows_what_is_published(seen: Seen, play: Play) -> None:
    events = play.runs.events("reelflow_published")
    (event,) = [event for event in events if event["post_id"] == seen.published["id"]]
    assert event["file_name"] == seen.published["file_name"]
    assert event["link"] == seen.published["link"]
    assert event["sha256"] == seen.published["sha256"]
    (at_tiktok,) = [one for one in seen.scene.published() if one["sha256"] == event["sha256"]]
    said = [event[name] for name in ("publish_id", "tiktok_post_id", "size_bytes")]
    assert said == [at_tiktok[name] for name in ("publish_id", "post_id", "bytes")]
    with play.unpaused(FOLLOWER) as dag:
        next_one = seen.scene.drop(ACCOUNT, "next.mp4")
        play.wait_told(lambda: "success" in {run.state for run in dag.all()}, "what follows")
        run_id = dag.all()[0].run_id
    told = set(dag.returned(run_id, "tell"))
    assert {seen.published["id"], seen.scene.post(next_one)["id"]} <= told


def test_people_are_told_of_a_late_post_by_the_triggerer_while_a_run_takes_long(
    seen: Seen, receiver: Receiver, play: Play
) -> None:
    play.process_for(ENDLESS_S)
    seen.scene.drop(ACCOUNT, "slow.mp4")
    held = seen.scene.drop(ACCOUNT, "late.mp4", sidecar={"approval": True})
    seen.scene.wait_for([held], {"HELD"})
    post_id = seen.scene.post(held)["id"]
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    play.ledger.change_posts([post_id], created_at=an_hour_ago, due_at=an_hour_ago)
    play.wait_told(lambda: bool(receiver.about(held)), "the alert of the run's deadline")
    assert not play.runs.is_idle()
    (message,) = receiver.about(held)
    assert (message["event"], message["post_id"]) == ("post.late", post_id)
    assert "It waits for a person" in message["text"]
    story = json.loads(play.stack.run_reelflow("posts", "show", str(post_id), "--json"))["story"]
    assert story[-1]["actor"].startswith("deadline alert of ")
    play.let_go()
    play.wait_told(play.runs.is_idle, "all runs to end")


def test_no_secret_of_the_alerts_is_in_any_log(
    seen: Seen, stack: ProofStack, receiver: Receiver
) -> None:
    logs: list[Path] = [path for path in stack.folders.root.rglob("*.log") if path.is_file()]
    assert logs
    for path in logs:
        data = path.read_text(errors="replace")
        assert not [secret for secret in SECRETS if secret in data], path
