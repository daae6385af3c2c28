"""Real uploading processes, killed or stopped: the same publish_id goes on, nothing goes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import PostNotTakeableError
from reelflow.ledger.models import Post
from tests.data_folder import data_folder
from tests.integration.ledger_witness import witness
from tests.integration.publisher import CHUNK, OWNER, RUN, Publisher, three_chunks
from tests.integration.simulator_process import DEADLINE_S, REPOSITORY, wait_until

OTHER = "run-2/upload[0]"
LEASE_S = 120.0


class Worker:
    """One uploading process."""

    def __init__(self, publisher: Publisher, post: Post, *, lease_s: float, api: str) -> None:
        task = {
            "root": str(data_folder(publisher.workspace).root),
            "api": api,
            "upload_host": publisher.simulator.upload_host,
            "post_id": post.id,
            "run_id": RUN,
            "owner": OWNER,
            "lease_s": lease_s,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.uploader", json.dumps(task)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}"},
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.communicate(timeout=DEADLINE_S)

    def result(self) -> dict[str, Any]:
        output, _ = self.process.communicate(timeout=DEADLINE_S)
        return dict(json.loads(output))


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(publisher: Publisher) -> Iterator[StartWorker]:
    """Start uploading processes; whatever still runs at the end is killed."""
    publisher.clock.set(datetime.now(UTC))  # the workers' clock is the machine's
    started: list[Worker] = []

    def start(post: Post, *, lease_s: float = LEASE_S, api: str | None = None) -> Worker:
        worker = Worker(publisher, post, lease_s=lease_s, api=api or publisher.simulator.api)
        started.append(worker)
        return worker

    try:
        yield start
    finally:
        publisher.simulator.release()
        for worker in started:
            worker.kill()


def assert_lease_is_held(publisher: Publisher, post: Post) -> None:
    holder = publisher.read(post)
    assert holder.lease_owner == OWNER
    assert holder.lease_until is not None
    assert holder.lease_until > publisher.clock()


def let_lease_lapse(publisher: Publisher, post: Post) -> None:
    lease_until = publisher.read(post).lease_until
    assert lease_until is not None
    publisher.clock.set(lease_until)


@pytest.mark.parametrize(
    ("chunk", "when", "state"),
    [
        (0, "before", PostState.UPLOADING),
        (0, "after", PostState.UPLOADING),
        (1, "after", PostState.UPLOADING),
        (-1, "before", PostState.COMMITTING),
        (-1, "after", PostState.COMMITTING),
    ],
)
def test_a_killed_upload_goes_on_under_the_same_publish_id(
    publisher: Publisher, start_worker: StartWorker, chunk: int, when: str, state: PostState
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(chunk, when)
    worker = start_worker(post)
    publisher.simulator.wait_until_held()
    worker.kill()
    publisher.simulator.release()
    killed = publisher.current(post)
    assert publisher.read(post).state is state
    assert_lease_is_held(publisher, post)
    uploaded = publisher.upload(post)  # a retry of the same task instance need not wait
    assert (uploaded.publish_id, uploaded.state) == (killed.publish_id, PostState.PROCESSING)
    assert len(publisher.simulator.uploads()) == 1
    publisher.assert_published_once(post)
    assert publisher.settle(post) is PostState.PUBLISHED


def test_a_worker_killed_between_an_init_and_its_answer_leaves_no_second_post(
    publisher: Publisher, start_worker: StartWorker
) -> None:
    post = publisher.make_post(three_chunks())
    workers: list[Worker] = []

    def kill_at_init(path: str) -> None:
        if path.endswith("/video/init/"):
            workers[0].kill()

    api = publisher.simulator.api
    with witness(api, lambda: None, before_answer=kill_at_init) as (host, _):
        workers.append(start_worker(post, api=host))
        wait_until(lambda: workers[0].process.poll() is not None, "the worker is dead")
    assert len(publisher.simulator.uploads()) == 1
    lost = publisher.current(post)
    assert (lost.state, lost.publish_id) == (PublicationState.INITIATING, None)
    publisher.upload(post)
    assert len(publisher.simulator.uploads()) == 2
    publisher.assert_published_once(post)


def test_another_run_is_refused_while_the_lease_lives_and_takes_over_when_it_lapsed(
    publisher: Publisher, start_worker: StartWorker
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(1, "before")
    worker = start_worker(post)
    publisher.simulator.wait_until_held()
    worker.kill()
    publisher.simulator.release()
    before = publisher.read(post)
    with pytest.raises(PostNotTakeableError, match=r"being uploaded by run-1/upload\[0\]"):
        publisher.upload(post, owner=OTHER, run_id="run-2")
    assert publisher.read(post).fencing_token == before.fencing_token
    let_lease_lapse(publisher, post)
    uploaded = publisher.upload(post, owner=OTHER, run_id="run-2")
    assert publisher.simulator.uploads()[0]["publish_id"] == uploaded.publish_id
    publisher.assert_published_once(post)


@pytest.mark.parametrize(("chunk", "when"), [(0, "before"), (1, "after"), (-1, "before")])
def test_a_stopped_uploader_that_wakes_up_after_a_takeover_writes_and_posts_nothing(
    publisher: Publisher, start_worker: StartWorker, chunk: int, when: str
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(chunk, when)
    sleeper = start_worker(post)
    publisher.simulator.wait_until_held()
    sleeper.send(signal.SIGSTOP)
    let_lease_lapse(publisher, post)
    publisher.upload(post, owner=OTHER, run_id="run-2")
    story = publisher.story(post)
    sleeper.send(signal.SIGCONT)
    publisher.simulator.release()
    assert sleeper.result()["error"] == "LeaseLostError"
    assert publisher.story(post) == story
    assert len(publisher.simulator.uploads()) == 1
    publisher.assert_published_once(post)


def test_a_stopped_uploader_that_wakes_up_after_a_sweep_does_not_send_the_last_byte(
    publisher: Publisher, start_worker: StartWorker
) -> None:
    """Else a post that the ledger calls READY, and may begin anew, would be public."""
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(1, "after")
    sleeper = start_worker(post)
    publisher.simulator.wait_until_held()
    sleeper.send(signal.SIGSTOP)
    let_lease_lapse(publisher, post)
    assert publisher.sweep().returned_to_ready == [post.id]
    sleeper.send(signal.SIGCONT)
    publisher.simulator.release()
    assert sleeper.result()["error"] == "LeaseLostError"
    assert publisher.read(post).state is PostState.READY
    assert publisher.simulator.uploads()[0]["received_bytes"] == 2 * CHUNK
    publisher.upload(post, owner=OTHER, run_id="run-2")
    publisher.assert_published_once(post)


def test_the_heartbeat_keeps_the_lease_while_a_chunk_is_long_on_its_way(
    publisher: Publisher, start_worker: StartWorker
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(1, "before")
    worker = start_worker(post, lease_s=1.0)
    publisher.simulator.wait_until_held()
    first = publisher.read(post).lease_until
    assert first is not None

    def is_renewed_beyond_its_first_end() -> bool:
        now = publisher.read(post).lease_until
        return now is not None and now > first + timedelta(seconds=1)

    wait_until(is_renewed_beyond_its_first_end, "the lease is renewed")
    publisher.clock.set(datetime.now(UTC))
    with pytest.raises(PostNotTakeableError):
        publisher.upload(post, owner=OTHER, run_id="run-2")
    publisher.simulator.release()
    assert worker.result()["state"] == "PROCESSING"
    publisher.assert_published_once(post)
