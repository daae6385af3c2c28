from collections.abc import Iterator
from typing import Any

import pytest

from reelflow.cli.submit_watch import exit_code, follow
from reelflow.client.records import PostRecord
from reelflow.client.retries import Patience, Retries
from reelflow.client.server import ReelflowServer
from reelflow.exceptions import ServerUnavailableError
from tests.scripted_intake import KEY, Call, Reply, ScriptedIntake


@pytest.fixture
def server() -> Iterator[ScriptedIntake]:
    with ScriptedIntake() as server:
        yield server


@pytest.fixture
def api(server: ScriptedIntake) -> Iterator[ReelflowServer]:
    with ReelflowServer(f"{server.url}/reelflow/api/v1", KEY) as api:
        yield api


class Watch:
    """Follows posts whose states change each time that somebody pauses."""

    def __init__(self, server: ScriptedIntake, api: ReelflowServer, *steps: dict[int, Any]) -> None:
        self.changes: list[tuple[int, str]] = []
        self.pauses: list[float] = []
        self._server, self._api, self._steps = server, api, list(steps)

    def run(self) -> dict[int, PostRecord]:
        retries = Retries(Patience(1, 4, 6), tell=lambda *_: None, sleep=lambda _: None)
        posts = {post_id: self._api.post(post_id) for post_id in self._server.posts}
        return follow(self._api, posts, retries, on_change=self._changed, sleep=self._sleep)

    def _changed(self, post: PostRecord) -> None:
        self.changes.append((post.id, post.state))

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        for post_id, state in self._steps.pop(0).items():
            self._server.posts[post_id]["state"] = state


def test_posts_are_followed_until_each_has_ended(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    server.add_post()
    server.add_post(state="PUBLISHED")
    server.add_post()
    watch = Watch(server, api, {1: "UPLOADING", 3: "HELD"}, {}, {1: "PROCESSING"}, {1: "PUBLISHED"})
    ended = watch.run()
    assert watch.changes == [
        (1, "UPLOADING"), (3, "HELD"), (1, "PROCESSING"), (1, "PUBLISHED"),
    ]  # fmt: skip
    assert {post.state for post in ended.values()} == {"PUBLISHED", "HELD"}
    assert len(server.calls_to("GET", "/posts/3")) == 2


def test_a_state_of_a_newer_server_is_waited_out(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    server.add_post(state="TRANSCODING")
    assert Watch(server, api, {1: "FAILED"}).run()[1].state == "FAILED"


def test_a_lost_connection_is_waited_for_and_one_that_stays_away_is_told(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    server.add_post()
    watch = Watch(server, api, {}, {}, {}, {1: "PUBLISHED"})
    failed = [0]

    def fault(call: Call) -> Reply | None:
        failed[0] += 1
        return Reply(503) if failed[0] % 3 else None

    server.fault = fault
    retries = Retries(Patience(1, 1, 6), tell=lambda *_: None, sleep=lambda _: None)
    first = retries.call(lambda: api.post(1))
    ended = follow(api, {1: first}, retries, on_change=watch._changed, sleep=watch._sleep)
    assert ended[1].state == "PUBLISHED"
    server.fault = lambda _: Reply(503)
    with pytest.raises(ServerUnavailableError):
        follow(api, {1: first}, retries, on_change=watch._changed, sleep=lambda _: None)


def test_many_posts_are_not_asked_for_faster_than_few(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    for _ in range(60):
        server.add_post()
    watch = Watch(server, api, dict.fromkeys(range(1, 61), "PUBLISHED"))
    watch.run()
    assert watch.pauses == [6]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["PUBLISHED", "PUBLISHED_NO_LINK", "IN_INBOX"], 0),
        (["PUBLISHED", "REJECTED", "HELD"], 1),
        (["FAILED"], 1),
        (["CANCELLED"], 1),
        (["PUBLISHED", "HELD"], 3),
        (["UNKNOWN"], 3),
        (["MISSED"], 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst_end(states: list[str], code: int) -> None:
    assert exit_code(states) == code
