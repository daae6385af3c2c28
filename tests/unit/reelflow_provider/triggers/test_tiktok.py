"""TikTokPublishStatusTrigger: waits for a scripted TikTok until there is something to say."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pkgutil import resolve_name
from typing import Any, cast

import pytest
from airflow.sdk.serde import deserialize, serialize
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers.tiktok import TikTokPublishStatusTrigger
from tests import factories
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok
from tests.unit.reelflow_provider.conftest import Connect

PUBLISH_ID = "v_pub_file~v2-1.123456789"
LINK = 7300000000000000001
PENDING = ok({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 5})
DEADLINE_S = 30.0
COMPLETE = ok({"status": "PUBLISH_COMPLETE"})
LINKED = ok({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [LINK]})


@pytest.fixture
def server(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> ScriptedServer:
    """The server of all tests, connected."""
    monkeypatch.setenv("REELFLOW_STATUS_PER_MINUTE", "10000")  # nothing here is about its pace
    connect(f"http://{server.address}")
    return server


@pytest.fixture
def post(worker: Workspace, account: Account) -> Post:
    return factories.make_post(worker, account, state=PostState.PROCESSING)


def make_trigger(post_id: int, **fields: Any) -> TikTokPublishStatusTrigger:
    arguments: dict[str, Any] = {
        "post_id": post_id,
        "publish_id": PUBLISH_ID,
        "tiktok_conn_id": "tiktok_app",
        "poll_interval_s": 0.01,
        "ends_at_s": time.time() + 1800,
        "link_timeout_s": 0.0,
        "actor": "a task",
        "ends_task": False,
        **fields,
    }
    return TikTokPublishStatusTrigger(**arguments)


def all_events(*triggers: TikTokPublishStatusTrigger) -> list[Any]:
    """Run triggers on one loop until each has fired; return what they fired for a worker."""
    fired = all_fired(*triggers)
    assert {type(event) for event in fired} == {TriggerEvent}
    return [event.payload for event in fired]


def all_fired(*triggers: TikTokPublishStatusTrigger) -> list[TriggerEvent]:
    """Run triggers on one loop until each has fired; return the events."""

    async def collect() -> list[TriggerEvent]:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*(one_event(trigger) for trigger in triggers))

    return asyncio.run(collect())


async def one_event(trigger: TikTokPublishStatusTrigger) -> TriggerEvent:
    (event,) = [event async for event in trigger.run()]
    return event


def publish(worker: Workspace, post: Post, **fields: Any) -> None:
    """Give a post the publication that is waited for."""
    with worker.ledger.write() as session:
        values = {"state": PublicationState.SENT, "size_bytes": 5, "chunk_size_bytes": 5, **fields}
        session.add(
            Publication(
                post_id=post.id,
                ordinal=1,
                publish_id=PUBLISH_ID,
                total_chunks=1,
                created_at=worker.ledger.now(),
                **values,
            )
        )


def story(worker: Workspace, post: Post) -> list[tuple[str, str]]:
    with worker.ledger.read() as session:
        return [(str(entry.actor), str(entry.why)) for entry in audit.story(session, post.id)]


def stored_and_read(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what Airflow reads of fields that it has stored."""
    stored = json.loads(json.dumps(serialize(fields)))
    return cast("dict[str, Any]", deserialize(stored))


def refusal(status: int, code: str, **headers: str) -> bytes:
    return http(status, json.dumps({"error": {"code": code, "message": "no"}}).encode(), **headers)


def test_it_survives_the_way_to_the_triggerer_and_back() -> None:
    trigger = make_trigger(7, link_timeout_s=60.0)
    classpath, kwargs = trigger.serialize()
    again = resolve_name(classpath)(**stored_and_read(kwargs))
    assert type(again) is TikTokPublishStatusTrigger
    assert again.serialize() == trigger.serialize()
    assert vars(again).items() >= kwargs.items()


def test_one_that_waits_while_reelflow_is_upgraded_goes_on() -> None:
    kwargs = make_trigger(7).serialize()[1]
    new = {"actor", "ends_task", "first_pause_s"}
    before = {name: kwargs[name] for name in kwargs.keys() - new}
    assert not TikTokPublishStatusTrigger(**before).ends_task


NOW_S = 1_795_000_000.0


@pytest.mark.parametrize(("now_s", "first_s"), [(0, 20), (0.1, 20), (8, 20), (8.1, 30), (10, 30)])
def test_the_first_poll_comes_after_the_interval_together_with_others(
    now_s: float, first_s: float
) -> None:
    trigger = make_trigger(7, poll_interval_s=12.0, ends_at_s=NOW_S + 1800)
    assert trigger.wait_from(NOW_S + now_s).first_poll_at_s == NOW_S + first_s


def test_what_nobody_asked_about_yet_is_asked_about_before_its_interval() -> None:
    trigger = make_trigger(7, poll_interval_s=300, first_pause_s=10, ends_at_s=NOW_S + 1800)
    assert trigger.wait_from(NOW_S).first_poll_at_s == NOW_S + 10
    assert trigger.wait_from(NOW_S).poll_interval_s == 300


def test_a_long_pause_ends_with_the_waiting_but_never_right_after_the_deferral() -> None:
    over = make_trigger(7, poll_interval_s=3600, ends_at_s=NOW_S - 1)
    assert over.wait_from(NOW_S).first_poll_at_s == NOW_S + 10
    soon = make_trigger(7, poll_interval_s=3600, ends_at_s=NOW_S + 100)
    assert soon.wait_from(NOW_S).first_poll_at_s == NOW_S + 100


def test_no_token_travels_with_it(post: Post) -> None:
    assert "act." not in repr(make_trigger(post.id).serialize())


def test_it_asks_about_its_publication_with_the_token_of_the_ledger(
    post: Post, server: ScriptedServer
) -> None:
    server.answers = [LINKED]
    all_events(make_trigger(post.id))
    (asked,) = server.received
    assert asked.headers["authorization"] == "Bearer act.acme"
    assert json.loads(asked.body) == {"publish_id": PUBLISH_ID}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LINKED, {"status": "PUBLISH_COMPLETE", "post_ids": (str(LINK),)}),
        (COMPLETE, {"status": "PUBLISH_COMPLETE", "post_ids": ()}),
        (ok({"status": "SEND_TO_USER_INBOX"}), {"status": "SEND_TO_USER_INBOX"}),
        (
            ok({"status": "FAILED", "fail_reason": "duration_check_failed"}),
            {"status": "FAILED", "fail_reason": "duration_check_failed"},
        ),
    ],
    ids=["published", "published without a link", "in the inbox", "failed"],
)
def test_each_final_status_is_fired_once(
    answer: bytes, said: dict[str, Any], post: Post, server: ScriptedServer
) -> None:
    server.answers = [answer]
    (event,) = all_events(make_trigger(post.id))
    assert event["outcome"] == "status"
    assert event["publish_id"] == PUBLISH_ID
    assert event.items() >= said.items()


def test_what_it_fires_can_be_stored(post: Post, server: ScriptedServer) -> None:
    server.answers = [LINKED]
    (event,) = all_events(make_trigger(post.id))
    assert list(stored_and_read(event)["post_ids"]) == [str(LINK)]


@pytest.mark.parametrize("status", ["PROCESSING_DOWNLOAD", "SOMETHING_NEW", "publish_complete"])
def test_an_unknown_status_is_pending(status: str, post: Post, server: ScriptedServer) -> None:
    server.answers = [ok({"status": status}), ok({"status": status}), LINKED]
    (event,) = all_events(make_trigger(post.id))
    assert event["status"] == "PUBLISH_COMPLETE"
    assert len(server.received) == 3


@pytest.mark.parametrize("status", ["PROCESSING_UPLOAD", "SOMETHING_NEW"])
def test_the_deadline_ends_the_waiting_after_a_last_poll(
    status: str, post: Post, server: ScriptedServer
) -> None:
    server.answers = [ok({"status": status})]
    (event,) = all_events(make_trigger(post.id, ends_at_s=time.time() - 1))
    assert event == {"outcome": "deadline", "publish_id": PUBLISH_ID, "status": status}


def test_a_final_status_at_the_deadline_counts(post: Post, server: ScriptedServer) -> None:
    server.answers = [LINKED]
    (event,) = all_events(make_trigger(post.id, ends_at_s=time.time() - 1))
    assert event["outcome"] == "status"


def test_a_deadline_without_any_answer_says_so(
    post: Post, connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    (event,) = all_events(make_trigger(post.id, ends_at_s=time.time() - 1))
    assert event == {"outcome": "deadline", "publish_id": PUBLISH_ID, "status": "none"}


@pytest.mark.parametrize(
    "answer",
    [http(503), http(200, b"<html>"), refusal(500, "internal_error")],
    ids=["a gateway", "a page", "an internal error"],
)
def test_trouble_that_passes_keeps_it_polling(
    answer: bytes, post: Post, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [answer, answer, LINKED]
    with caplog.at_level(logging.WARNING, "reelflow"):
        (event,) = all_events(make_trigger(post.id))
    assert event["outcome"] == "status"
    assert len(caplog.records) == 2
    assert f"post {post.id}: no status yet" in caplog.text


@pytest.mark.parametrize(
    ("status", "code"), [(401, "scope_not_authorized"), (400, "invalid_publish_id")]
)
def test_a_refusal_is_fired_with_tiktok_s_code(
    status: int, code: str, post: Post, server: ScriptedServer
) -> None:
    server.answers = [refusal(status, code)]
    (event,) = all_events(make_trigger(post.id))
    assert event["outcome"] == "refused"
    assert event["code"] == code
    assert event["message"]
    assert "act.acme" not in repr(event)


def test_a_refused_token_that_nothing_renews_is_fired_as_a_revoked_account(
    post: Post, server: ScriptedServer
) -> None:
    server.answers = [refusal(401, "access_token_invalid")]
    (event,) = all_events(make_trigger(post.id))
    assert (event["outcome"], event["code"]) == ("refused", "account_revoked")


def test_a_missing_connection_is_fired_as_a_refusal_with_the_fix(post: Post) -> None:
    (event,) = all_events(make_trigger(post.id))
    assert (event["outcome"], event["code"]) == ("refused", "connection_missing")
    assert "add one of type 'tiktok'" in event["message"]


def test_a_wrong_key_is_fired_as_a_refusal_with_the_fix(
    post: Post, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "cmVlbGZsb3ctYW5vdGhlci1rZXktbm90LWEtc2VjcmU=")
    (event,) = all_events(make_trigger(post.id))
    assert event["outcome"] == "refused"
    assert "key" in event["message"]
    assert server.received == []


def test_a_published_post_is_polled_on_for_its_link(post: Post, server: ScriptedServer) -> None:
    server.answers = [PENDING, COMPLETE, COMPLETE, LINKED]
    (event,) = all_events(make_trigger(post.id, link_timeout_s=60.0))
    assert event["post_ids"] == (str(LINK),)


def test_a_link_that_does_not_come_in_time_is_done_without(
    post: Post, server: ScriptedServer
) -> None:
    server.answers = [COMPLETE] * 10_000
    (event,) = all_events(make_trigger(post.id, link_timeout_s=0.05))
    assert (event["outcome"], event["post_ids"]) == ("status", ())
    assert len(server.received) > 1


def test_the_deadline_ends_the_waiting_for_the_link_too(post: Post, server: ScriptedServer) -> None:
    server.answers = [COMPLETE]
    trigger = make_trigger(post.id, link_timeout_s=60.0, ends_at_s=time.time() - 1)
    (event,) = all_events(trigger)
    assert (event["outcome"], event["post_ids"]) == ("status", ())


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (LINKED, PostState.PUBLISHED),
        (COMPLETE, PostState.PUBLISHED_NO_LINK),
        (ok({"status": "SEND_TO_USER_INBOX"}), PostState.IN_INBOX),
    ],
    ids=["published", "published without a link", "in the inbox"],
)
def test_a_post_that_tiktok_has_is_written_down_and_its_task_ended(
    answer: bytes, state: PostState, post: Post, server: ScriptedServer, worker: Workspace
) -> None:
    publish(worker, post)
    server.answers = [answer]
    (event,) = all_fired(make_trigger(post.id, ends_task=True, actor="publish/run/wait[3]"))
    assert type(event) is TaskSuccessEvent
    assert event.xcoms is None
    assert factories.read_post(worker, post.id).state is state
    assert "publish/run/wait[3]" in {actor for actor, _ in story(worker, post)}


def test_airflow_may_run_it_twice(post: Post, server: ScriptedServer, worker: Workspace) -> None:
    publish(worker, post)
    server.answers = [LINKED, LINKED]
    first = all_fired(make_trigger(post.id, ends_task=True))
    told = story(worker, post)
    assert all_fired(make_trigger(post.id, ends_task=True)) == first
    assert story(worker, post) == told


def test_a_failed_post_is_left_to_a_worker_that_says_why(
    post: Post, server: ScriptedServer, worker: Workspace
) -> None:
    publish(worker, post)
    server.answers = [ok({"status": "FAILED", "fail_reason": "duration_check_failed"})]
    (event,) = all_events(make_trigger(post.id, ends_task=True))
    assert (event["outcome"], event["status"]) == ("status", "FAILED")


def test_what_is_not_final_is_left_to_a_worker_and_changes_nothing(
    post: Post, server: ScriptedServer, worker: Workspace
) -> None:
    publish(worker, post)
    told = story(worker, post)
    server.answers = [PENDING]
    (event,) = all_events(make_trigger(post.id, ends_task=True, ends_at_s=time.time() - 1))
    assert event["outcome"] == "deadline"
    assert story(worker, post) == told


def test_a_given_up_publication_does_not_end_the_task_of_its_post(
    post: Post, server: ScriptedServer, worker: Workspace
) -> None:
    publish(worker, post, state=PublicationState.SUPERSEDED, is_current=False)
    server.answers = [ok({"status": "FAILED", "fail_reason": "internal"})]
    (event,) = all_events(make_trigger(post.id, ends_task=True))
    assert event["outcome"] == "status"
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def test_what_the_ledger_does_not_take_is_left_to_a_worker(
    post: Post, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [LINKED]  # of a publication that is in no ledger
    with caplog.at_level(logging.WARNING, "reelflow"):
        (event,) = all_events(make_trigger(post.id, ends_task=True))
    assert (event["outcome"], event["status"]) == ("status", "PUBLISH_COMPLETE")
    assert f"post {post.id} has no publication {PUBLISH_ID}" in caplog.text


def test_an_error_that_nobody_thought_of_is_left_to_a_worker_too(
    post: Post, server: ScriptedServer, worker: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    publish(worker, post)
    with worker.ledger.write() as session:
        session.execute(
            text(
                "CREATE TRIGGER broken BEFORE UPDATE ON publications "
                "BEGIN SELECT RAISE(ABORT, 'nobody thought of it'); END"
            )
        )
    server.answers = [LINKED]
    (event,) = all_events(make_trigger(post.id, ends_task=True))
    assert event["status"] == "PUBLISH_COMPLETE"
    assert "nobody thought of it" in caplog.text


def test_for_a_task_that_has_more_to_do_it_only_reads(
    post: Post, server: ScriptedServer, worker: Workspace
) -> None:
    publish(worker, post)
    told = story(worker, post)
    server.answers = [LINKED]
    all_events(make_trigger(post.id, ends_task=False))
    after = factories.read_post(worker, post.id)
    assert (after.state, after.state_since) == (post.state, post.state_since)
    assert story(worker, post) == told
