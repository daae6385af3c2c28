"""What the end-to-end tests do to a running stack: drop files, watch posts, clear, kill."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from demo.exceptions import StackError
from demo.stack import DAG_ID, Stack
from demo.waiting import wait_until
from tests import media_files, photo_files

#: Without PUBLISHED_NO_LINK: these stacks' simulators have a link for each post, in a moment.
FINAL = frozenset({"PUBLISHED", "IN_INBOX", "REJECTED", "FAILED", "CANCELLED", "UNKNOWN"})
ENDED = frozenset({"success", "failed"})
RUNS = f"/api/v2/dags/{DAG_ID}/dagRuns"
UPLOAD_TASK = "publish_post.upload_to_tiktok"


def unique_video(path: Path, *, size_bytes: int = 0) -> Path:
    """Make a small real MP4 whose bytes no other file has, padded to a size by a free box."""
    data = media_files.h264_mp4().read_bytes()
    filler = max(size_bytes - len(data) - 8, 16)
    path.write_bytes(data + (filler + 8).to_bytes(4, "big") + b"free" + uuid.uuid4().bytes)
    with path.open("r+b") as file:
        file.truncate(len(data) + 8 + filler)
    return path


@dataclass
class Scene:
    """A running stack and a folder to make files in."""

    stack: Stack
    folder: Path

    def drop(
        self,
        account: str,
        name: str,
        *,
        size_bytes: int = 0,
        data: bytes | None = None,
        sidecar: dict[str, Any] | None = None,
    ) -> str:
        """Put a file into an account's inbox and return its name, made unique."""
        name = f"{uuid.uuid4().hex[:6]}-{name}"
        made = self.folder / name
        if data is None:
            unique_video(made, size_bytes=size_bytes)
        else:
            made.write_bytes(data)
        inbox = self.stack.inbox / account
        inbox.mkdir(exist_ok=True)
        if sidecar is not None:
            (inbox / f"{name}.json").write_text(json.dumps(sidecar))
        hidden = inbox / f".{name}"
        hidden.write_bytes(made.read_bytes())
        hidden.rename(inbox / name)
        return name

    def drop_photos(
        self, account: str, name: str, *, count: int, sidecar: dict[str, Any]
    ) -> tuple[str, list[bytes]]:
        """Put a folder of photos into an account's inbox; return its unique name and the images."""
        name = f"{uuid.uuid4().hex[:6]}-{name}"
        images = [photo_files.unique_image() for _ in range(count)]
        inbox = self.stack.inbox / account
        (inbox / f"{name}.json").write_text(json.dumps(sidecar))
        hidden = inbox / f".{name}"
        hidden.mkdir()
        for number, data in enumerate(images, 1):
            (hidden / f"{number}.jpg").write_bytes(data)
        hidden.rename(inbox / name)
        return name, images

    def original(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def kept(self) -> set[bytes]:
        """Return what lies among the sources: other tests leave theirs for later days."""
        media = self.stack.folders.reelflow_home / "media"
        return {path.read_bytes() for path in media.rglob("*") if path.is_file()}

    def find(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.stack.posts() if one["file_name"] == name), None)

    def post(self, name: str) -> dict[str, Any]:
        post = self.find(name)
        assert post is not None, f"no post of {name}"
        return post

    def wait(self, condition: Any, what: str, *, deadline_s: float = 120) -> None:
        wait_until(
            condition,
            deadline_s=deadline_s,
            waiting_for=what,
            check=self.stack.check_alive,
            interval_s=0.5,
        )

    def wait_for(
        self, names: Iterable[str], states: Iterable[str] = FINAL, *, deadline_s: float = 150
    ) -> None:
        wanted, allowed = list(names), set(states)

        def reached() -> bool:
            posts = {one["file_name"]: one["state"] for one in self.stack.posts()}
            return all(posts.get(name) in allowed for name in wanted)

        try:
            self.wait(reached, f"{wanted} to be in {sorted(allowed)}", deadline_s=deadline_s)
        except StackError as error:
            posts = {one["file_name"]: one for one in self.stack.posts()}
            raise AssertionError(f"{error}: {[posts.get(name) for name in wanted]}") from error

    def wait_for_posts(self, post_ids: Iterable[int], *, deadline_s: float = 180) -> None:
        """Wait until posts have come to their end."""
        wanted = set(post_ids)

        def ended() -> bool:
            posts = {one["id"]: one["state"] for one in self.stack.posts()}
            return all(posts.get(post_id) in FINAL for post_id in wanted)

        try:
            self.wait(ended, f"the posts {sorted(wanted)} to end", deadline_s=deadline_s)
        except StackError as error:
            posts = [one for one in self.stack.posts() if one["id"] in wanted]
            raise AssertionError(f"{error}: {posts}") from error

    def runs(self) -> list[dict[str, Any]]:
        return self.stack.airflow.dag_runs(DAG_ID)

    def has_runs_under_way(self) -> bool:
        """Whether a run waits or works; to list them all would cost the server more."""
        under_way = self.stack.api("GET", RUNS, limit=1, state=["queued", "running"])
        return int(under_way["total_entries"]) > 0

    def run_state(self, run_id: str) -> str:
        return str(self.stack.api("GET", f"{RUNS}/{run_id}")["state"])

    def wait_for_runs_to_end(self, *, deadline_s: float = 150) -> None:
        self.wait(
            lambda: not self.has_runs_under_way(),
            "all runs to end",
            deadline_s=deadline_s,
        )

    def task_instances(self, run_id: str) -> list[dict[str, Any]]:
        path = f"{RUNS}/{run_id}/taskInstances"
        return list(self.stack.api("GET", path, limit=200)["task_instances"])

    def task_of(self, name: str, task_id: str) -> dict[str, Any]:
        """Return the newest task instance of a file's post.

        It has its place with those that are labelled with the file's name, maybe before it has a
        label itself.
        """
        for run in reversed(self.runs()):
            tasks = self.task_instances(run["dag_run_id"])
            places = {one["map_index"] for one in tasks if one["rendered_map_index"] == name}
            for task in tasks:
                if task["task_id"] == task_id and task["map_index"] in places:
                    return task
        raise AssertionError(f"no task instance {task_id} of {name}")

    def clear_run(self, run_id: str) -> None:
        body = {"dry_run": False, "only_failed": False}
        self.stack.api("POST", f"{RUNS}/{run_id}/clear", body)

    def clear_task(self, task: dict[str, Any]) -> None:
        self.stack.api(
            "POST",
            f"/api/v2/dags/{DAG_ID}/clearTaskInstances",
            {
                "dry_run": False,
                "only_failed": False,
                "dag_run_id": task["dag_run_id"],
                "task_ids": [[task["task_id"], task["map_index"]]],
            },
        )

    def published_events(self) -> list[dict[str, Any]]:
        events = self.stack.api("GET", "/api/v2/assets/events", limit=500)["asset_events"]
        return [event["extra"] for event in events if event["name"] == "reelflow_published"]

    def wake_ups(self) -> int:
        events = self.stack.api("GET", "/api/v2/assets/events", limit=500)["asset_events"]
        return sum(event["name"] == "reelflow_uploads" for event in events)

    def simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.stack.running_simulator().control(method, path, body)

    def received_bytes(self, name: str) -> int:
        """Return how many bytes of a file the simulator holds."""
        publish_id = (self.find(name) or {}).get("publish_id")
        uploads = self.simulator("GET", "/uploads")["uploads"]
        return sum(one["received_bytes"] for one in uploads if one["publish_id"] == publish_id)

    def published(self) -> list[dict[str, Any]]:
        return list(self.simulator("GET", "/posts")["posts"])

    def received(self, publish_id: str) -> bytes:
        control_url = self.stack.running_simulator().control_url
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{control_url}/uploads/{publish_id}/content", timeout=60)
        answer.raise_for_status()
        return answer.content

    def kill_worker_of(self, task: dict[str, Any]) -> None:
        """SIGKILL a running task's process and the executor's worker that supervises it."""
        process = psutil.Process(task["pid"])
        family = [process, process.parent()]
        scheduler = next(one for one in self.stack.components if one.name == "scheduler")
        for member in reversed(family):
            assert member is not None
            assert member.pid != scheduler.identity.pid, "that would kill the scheduler itself"
            os.kill(member.pid, signal.SIGKILL)
