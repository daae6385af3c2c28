"""Posts and accounts at a real `reelflow serve`, between a raw HTTP client and TikTok."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import TikTokUnavailableError
from reelflow.ledger.models import Account
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.prepare import validate
from tests import factories
from tests.integration.intake_server import ON_BOTH_STORES, IntakeServer, headers_of
from tests.integration.publisher import Publisher
from tests.integration.simulator_process import Simulator
from tests.media_files import h264_mp4

CREATOR_INFO_LIMIT = 20
TIMEOUT_S = 30


class Caller:
    """Somebody who speaks HTTP to the server."""

    def __init__(self, server: IntakeServer, key: str) -> None:
        self._server = server
        self._headers = headers_of(key)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self._server.api}{path}"
        return requests.request(method, url, headers=self._headers, timeout=TIMEOUT_S, **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int, **options: Any) -> Any:
        answer = self.call("POST", path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def make(self, status: int = 201, **fields: Any) -> Any:
        wish = {"account": "aurora", "privacy_level": "SELF_ONLY", "kind": "video", **fields}
        return self.post("/posts", status, json=wish)

    def upload(self, content: bytes, **fields: str) -> Any:
        files = {"file": ("clip.mp4", content, "video/mp4")}
        return self.post("/media/upload/simple", 201, files=files, data=fields)["media"]


@pytest.fixture
def anna(serving: IntakeServer) -> Caller:
    return Caller(serving, serving.anna)


@pytest.fixture
def ben(serving: IntakeServer) -> Caller:
    return Caller(serving, serving.ben)


@pytest.fixture
def root(serving: IntakeServer) -> Caller:
    return Caller(serving, serving.root)


@pytest.fixture
def aurora(serving: IntakeServer, simulator: Simulator) -> Account:
    """An account of the simulator's."""
    creator = simulator.accounts[0]
    tokens = {"open_id": creator["open_id"], "access_token": creator["access_token"]}
    return factories.make_account(serving.workspace, "aurora", **tokens)


@pytest.fixture
def publisher(serving: IntakeServer, simulator: Simulator, aurora: Account) -> Publisher:
    """A worker beside the server."""
    return Publisher(serving.workspace, factories.Clock(), simulator, aurora)


def clip() -> bytes:
    return h264_mp4().read_bytes()


def post_of(publisher: Publisher, record: Mapping[str, Any]) -> Any:
    return factories.read_post(publisher.workspace, record["post_id"])


@ON_BOTH_STORES
def test_a_post_waits_for_its_upload_and_is_published_byte_for_byte(
    anna: Caller, publisher: Publisher, simulator: Simulator
) -> None:
    post = anna.make(caption="soon", privacy_level="PUBLIC_TO_EVERYONE")
    assert (post["state"], post["reason_code"]) == ("HELD", "no_media")
    media = anna.upload(clip(), post_id=str(post["post_id"]))
    ready = anna.get(f"/posts/{post['post_id']}")
    assert (ready["state"], ready["media_ids"]) == ("READY", [media["media_id"]])
    anna.call("PATCH", f"/posts/{post['post_id']}", json={"caption": "Lake at dawn"})

    workspace = publisher.workspace
    run = NormalRun("run-1", workspace.ledger.now(), timedelta(days=1))
    (entry,) = find_new_uploads(workspace, run, actor="tests")
    assert entry.post_id == post["post_id"]
    validate(workspace, entry.post_id, run_id="run-1", actor="tests")
    row = post_of(publisher, post)
    publisher.upload(row)
    assert publisher.settle(row) is PostState.PUBLISHED

    shown = anna.get(f"/posts/{post['post_id']}")
    (attempt,) = shown["attempts"]
    (published,) = simulator.posts()
    assert shown["state"] == "PUBLISHED"
    assert shown["tiktok"]["post_id"] == attempt["post_id"] == published["post_id"]
    assert shown["tiktok"]["publish_id"] == attempt["publish_id"] == published["publish_id"]
    assert simulator.uploads()[0]["post_info"]["title"] == "Lake at dawn"
    assert simulator.content(published["publish_id"]) == clip()
    assert [shown["story"][0][name] for name in ("from", "to")] == [None, "HELD"]
    assert "upload_url" not in str(shown)


def test_the_same_file_again_is_the_same_post_and_nobody_elses(
    anna: Caller, ben: Caller, aurora: Account
) -> None:
    first = anna.make(media_ids=[anna.upload(clip())["media_id"]])
    again = anna.upload(clip())
    assert anna.make(200, media_ids=[again["media_id"]])["post_id"] == first["post_id"]
    theirs = ben.upload(clip())["media_id"]
    refused = ben.make(409, media_ids=[theirs])
    assert refused["reason"] == "duplicate"
    assert ben.get("/posts")["posts"] == []
    assert ben.make(media_ids=[theirs], repost=True)["state"] == "READY"


def test_one_wish_from_many_clients_at_once_becomes_one_post(anna: Caller, aurora: Account) -> None:
    media_id = anna.upload(clip())["media_id"]
    wish = {"account": "aurora", "privacy_level": "SELF_ONLY", "media_ids": [media_id]}
    together = threading.Barrier(8)

    def make(_: int) -> requests.Response:
        together.wait(10)
        return anna.call("POST", "/posts", json=wish)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(make, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["post_id"] for answer in answers}) == 1


def test_a_post_is_steered_by_hand_from_its_making_to_its_end(
    anna: Caller, root: Caller, aurora: Account
) -> None:
    media_id = anna.upload(clip())["media_id"]
    post = anna.make(media_ids=[media_id], approval=True)
    path = f"/posts/{post['post_id']}"
    assert (post["state"], post["reason_code"], post["approval"]) == ("HELD", "approval", True)
    assert f"`POST {path}/release`" in post["fix"]
    at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0).isoformat()
    released = root.post(f"{path}/release", 200, json={"publish_at": at})
    assert (released["state"], released["due_at"]) == ("READY", at)
    assert anna.call("POST", f"{path}/release").status_code == 409
    assert anna.post(f"{path}/cancel", 200)["state"] == "CANCELLED"
    tried = anna.post(f"{path}/retry", 200)
    assert (tried["state"], tried["due_at"]) == ("READY", at)
    assert anna.call("POST", f"{path}/resolve", json={"published": True}).status_code == 409
    actors = [step["actor"] for step in anna.get(path)["story"]]
    assert actors == ["user:anna", "user:root", "user:anna", "user:anna"]


def test_posts_are_found_page_by_page(anna: Caller, root: Caller, aurora: Account) -> None:
    made = [anna.make(caption=str(number))["post_id"] for number in range(5)]
    first = anna.get("/posts", params={"limit": 3, "state": "HELD", "account": "aurora"})
    second = anna.get("/posts", params={"limit": 3, "cursor": first["next_cursor"]})
    assert [one["post_id"] for page in (first, second) for one in page["posts"]] == made[::-1]
    assert second["next_cursor"] is None
    assert len(root.get("/posts", params={"user": "anna"})["posts"]) == 5
    assert anna.call("GET", "/posts", params={"cursor": "p-1"}).status_code == 422


# Cancelling what TikTok has


def test_an_upload_that_waits_for_its_last_byte_is_cancelled_by_tiktok(
    anna: Caller, publisher: Publisher
) -> None:
    fault = {"status": 503, "times": publisher.limits.chunk_attempts, "chunk": -1}
    publisher.simulator.fault("put", **fault)
    row = publisher.make_post(user_id="anna")
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(row)
    shown = anna.post(f"/posts/{row.id}/cancel", 200)
    assert (shown["state"], shown["reason_code"]) == ("FAILED", "publish_cancelled")
    assert publisher.simulator.posts() == []


def test_what_tiktok_does_not_stop_is_a_conflict_and_what_it_took_is_open(
    anna: Caller, ben: Caller, publisher: Publisher
) -> None:
    publisher.simulator.switch(processing_polls=50)
    row = publisher.make_post(user_id="anna")
    publisher.upload(row)
    assert ben.call("POST", f"/posts/{row.id}/cancel").status_code == 404
    refused = anna.post(f"/posts/{row.id}/cancel", 409)
    assert refused["reason"] == "publish_not_cancellable"
    publisher.simulator.switch(cancel_processing="ignored")
    assert anna.post(f"/posts/{row.id}/cancel", 202)["state"] == "PROCESSING"


def test_tiktok_that_cannot_be_asked_leaves_the_post_as_it_is(
    anna: Caller, publisher: Publisher
) -> None:
    publisher.simulator.switch(processing_polls=50)
    row = publisher.make_post(user_id="anna")
    publisher.upload(row)
    publisher.simulator.fault("cancel", status=500, times=10)
    refused = anna.call("POST", f"/posts/{row.id}/cancel")
    assert (refused.status_code, refused.json()["reason"]) == (503, "unavailable")
    assert "Retry-After" in refused.headers
    assert anna.get(f"/posts/{row.id}")["state"] == "PROCESSING"


# Accounts


def test_an_account_tells_what_its_creator_offers_now_and_what_is_left_of_its_budgets(
    anna: Caller, aurora: Account, simulator: Simulator
) -> None:
    (told,) = anna.get("/accounts")["accounts"]
    assert told["creator"]["username"] == simulator.accounts[0]["username"]
    assert "SELF_ONLY" in told["creator"]["privacy_level_options"]
    assert told["creator"]["max_video_post_duration_sec"] > 0
    assert (told["creator_error"], told["budgets"]["creator_info"]["used"]) == (None, 0)
    (again,) = anna.get("/accounts", params={"live": "false"})["accounts"]
    assert (again["creator"], again["budgets"]["creator_info"]["used"]) == (None, 1)


def test_whoever_looks_again_and_again_leaves_half_of_the_budget_for_publishing(
    anna: Caller, aurora: Account
) -> None:
    told = [anna.get("/accounts")["accounts"][0] for _ in range(CREATOR_INFO_LIMIT // 2 + 2)]
    errors = [one["creator_error"] and one["creator_error"]["reason"] for one in told]
    assert errors == [None] * (CREATOR_INFO_LIMIT // 2) + ["budget_kept"] * 2
    assert told[-1]["budgets"]["creator_info"]["used"] == CREATOR_INFO_LIMIT // 2


def test_an_account_whose_access_ended_keeps_no_other_from_being_told(
    anna: Caller, aurora: Account, serving: IntakeServer, simulator: Simulator
) -> None:
    creator = simulator.accounts[1]
    factories.make_account(
        serving.workspace, "beta", open_id=creator["open_id"], access_token="act.unknown"
    )
    told = {one["name"]: one for one in anna.get("/accounts")["accounts"]}
    assert told["aurora"]["creator"] is not None
    assert told["beta"]["creator"] is None
    assert told["beta"]["creator_error"]["message"]
    assert "act.unknown" not in str(told)
    assert anna.get("/accounts", params={"live": "false"})["accounts"][1]["revoked"]
