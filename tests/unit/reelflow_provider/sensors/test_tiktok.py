"""TikTokPublishStatusSensor as a worker runs it: before it defers, and after its trigger fired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.execution_time import comms
from sqlalchemy import update

from reelflow.domain.budget import Call
from reelflow.domain.post import DONE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    PostFailedError,
    TerminalError,
    TikTokAuthError,
    TikTokUnavailableError,
)
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.calls import budgets
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from reelflow_provider.sensors.tiktok import TikTokPublishStatusSensor
from reelflow_provider.triggers.tiktok import TikTokPublishStatusTrigger
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow_provider.airflow_task import Ended, publish_id_of, run_task
from tests.unit.reelflow_provider.conftest import Connect

LINK = "7300000000000000001"
SendPost = Callable[..., Post]


def wait(post: Post, **arguments: Any) -> Ended:
    return run_task(TikTokPublishStatusSensor, post_id=post.id, map_index=0, **arguments)


def status_event(publish_id: str, status: str, **fields: Any) -> dict[str, Any]:
    """Return what the trigger fires when a status is final; JSON made a list of the tuple."""
    unsaid = {"fail_reason": None, "uploaded_bytes": None, "downloaded_bytes": None}
    fields.setdefault("post_ids", [])
    return {
        "outcome": "status",
        "publish_id": publish_id,
        "status": status,
        **unsaid,
        **fields,
    }


def poll_once(tiktok: Simulator, worker: Workspace, post: Post) -> None:
    """Let TikTok's PROCESSING pass without the ledger learning of it."""
    with tiktok.client(TikTokLimits()) as client:
        client.fetch_status(tiktok.accounts[0]["access_token"], publish_id_of(worker, post))


def story(worker: Workspace, post: Post) -> list[str]:
    with worker.ledger.read() as session:
        return [str(entry.why) for entry in audit.story(session, post.id)]


# before deferring


def test_it_has_its_name_while_it_waits(sent_post: SendPost) -> None:
    post = sent_post("SELF_ONLY")
    ended = wait(post)
    # Airflow takes no name with a deferral.
    named = [one for one in ended.sent if isinstance(one, comms.SetRenderedMapIndex)]
    assert ended.state == "deferred"
    assert [one.rendered_map_index for one in named] == [post.media.file_name]


def test_it_returns_at_once_when_tiktok_is_done(
    worker: Workspace, tiktok: Simulator, sent_post: SendPost
) -> None:
    post = sent_post("SELF_ONLY")
    poll_once(tiktok, worker, post)
    ended = wait(post)
    assert (ended.state, ended.result) == (
        "success",
        {"state": "PUBLISHED_NO_LINK", "post_id": None},
    )


@pytest.mark.parametrize("state", sorted(DONE))
def test_a_post_that_is_done_in_the_ledger_needs_no_call(
    state: PostState, worker: Workspace, account: Account, connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    ended = wait(factories.make_post(worker, account, state=state))
    assert ended.result["state"] == state


def test_while_tiktok_is_processing_it_defers(
    worker: Workspace, tiktok: Simulator, sent_post: SendPost
) -> None:
    post = sent_post()
    ended = wait(post)
    assert ended.state == "deferred"
    assert ended.message.next_method == "execute_complete"
    assert ended.trigger_kwargs == {
        "post_id": post.id,
        "publish_id": publish_id_of(worker, post),
        "tiktok_conn_id": "tiktok_app",
        "poll_interval_s": 10.0,
        "ends_at_s": post.state_since.timestamp() + 1800,
        "link_timeout_s": 60.0,
        "actor": "tests/asset_triggered__tests/task[0]",
        "ends_task": False,
        "first_pause_s": None,
    }
    # Airflow's own limit comes after the trigger's.
    assert ended.message.trigger_timeout == timedelta(minutes=35)


def test_what_was_sent_just_now_is_asked_about_by_the_trigger_first(
    connect: Connect, closed_url: str, sent_post: SendPost
) -> None:
    post = sent_post(ago_s=5)
    connect(closed_url)
    ended = wait(post, poll_interval_s=300)
    assert ended.trigger_kwargs["first_pause_s"] == 10
    assert ended.trigger_kwargs["poll_interval_s"] == 300


def test_a_task_with_nothing_to_do_once_it_is_done_ends_with_its_trigger(
    sent_post: SendPost,
) -> None:
    ended = wait(sent_post(), do_xcom_push=False)
    assert ended.trigger_kwargs["ends_task"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        {"do_xcom_push": True},
        {"outlets": [Asset("published_here")]},
        {"on_success_callback": print},
        {"post_execute": print},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_what_airflow_does_after_a_success_takes_a_worker(
    arguments: dict[str, Any], sent_post: SendPost
) -> None:
    ended = wait(sent_post(), **{"do_xcom_push": False, **arguments})
    assert ended.trigger_kwargs["ends_task"] is False


class Telling(TikTokPublishStatusSensor):
    """A sensor that tells somebody."""

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Tell."""


class Resuming(TikTokPublishStatusSensor):
    """A sensor that does more when its trigger has fired."""

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Do more."""
        return super().execute_complete(context, event)


@pytest.mark.parametrize("sensor", [Telling, Resuming])
def test_so_does_what_a_sensor_of_another_class_does_after_it(
    sensor: type[TikTokPublishStatusSensor], sent_post: SendPost
) -> None:
    ended = run_task(sensor, post_id=sent_post().id, map_index=0, do_xcom_push=False)
    assert ended.trigger_kwargs["ends_task"] is False


def test_with_no_status_call_left_it_defers_without_asking(
    worker: Workspace, creator: Account, connect: Connect, closed_url: str, sent_post: SendPost
) -> None:
    post = sent_post()
    connect(closed_url)
    for _ in range(30):
        budgets.spend(worker, creator.id, Call.STATUS)
    assert wait(post).state == "deferred"


def test_the_trigger_is_the_one_that_airflow_can_make(sent_post: SendPost) -> None:
    ended = wait(sent_post())
    trigger = TikTokPublishStatusTrigger(**ended.trigger_kwargs)
    assert trigger.serialize() == (ended.message.classpath, ended.trigger_kwargs)


def test_no_secret_is_in_what_airflow_learns(tiktok: Simulator, sent_post: SendPost) -> None:
    ended = wait(sent_post())
    assert ended.state == "deferred"
    said = f"{ended.told} {ended.message} {ended.log}"
    assert tiktok.accounts[0]["access_token"] not in said
    assert "upload_token" not in said
    assert "the client secret" not in said


@pytest.mark.parametrize(("asked_s", "interval_s"), [(None, 10), (0.5, 10), (9.99, 10), (45, 45)])
def test_it_never_polls_more_often_than_every_ten_seconds(
    asked_s: float | None, interval_s: float, sent_post: SendPost
) -> None:
    ended = wait(sent_post(), poll_interval_s=asked_s)
    assert ended.trigger_kwargs["poll_interval_s"] == interval_s


def test_settings_say_how_long_to_wait_unless_the_task_does(
    sent_post: SendPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_PUBLISH_TIMEOUT_S", "600")
    monkeypatch.setenv("REELFLOW_POLL_INTERVAL_S", "20")
    first, second = sent_post(), sent_post()
    by_settings, by_task = wait(first), wait(second, timeout_s=60, poll_interval_s=15)
    assert by_settings.trigger_kwargs["poll_interval_s"] == 20
    assert by_settings.trigger_kwargs["ends_at_s"] == first.state_since.timestamp() + 600
    assert by_task.trigger_kwargs["poll_interval_s"] == 15
    assert by_task.trigger_kwargs["ends_at_s"] == second.state_since.timestamp() + 60
    assert by_task.message.trigger_timeout == timedelta(minutes=6)


@pytest.mark.parametrize(
    "privacy_level", ["SELF_ONLY", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR"]
)
def test_only_a_public_post_is_waited_for_until_it_has_a_link(
    privacy_level: str,
    worker: Workspace,
    tiktok: Simulator,
    sent_post: SendPost,
) -> None:
    post = sent_post("SELF_ONLY")
    factories.change_post(worker, post.id, privacy_level=privacy_level)
    assert wait(post).trigger_kwargs["link_timeout_s"] == 0.0
    assert wait(post).result == {"state": "PUBLISHED_NO_LINK", "post_id": None}


def test_a_public_post_is_waited_for_until_it_has_its_link(
    worker: Workspace, tiktok: Simulator, sent_post: SendPost
) -> None:
    post = sent_post("PUBLIC_TO_EVERYONE")
    poll_once(tiktok, worker, post)
    first = wait(post)  # TikTok says PUBLISH_COMPLETE, without an id yet
    assert first.state == "deferred"
    assert factories.read_post(worker, post.id).state is PostState.PUBLISHED_NO_LINK
    second = wait(post)
    assert second.result == {"state": "PUBLISHED", "post_id": tiktok.posts()[0]["post_id"]}


def test_a_link_that_did_not_come_in_time_is_not_asked_for_again(
    worker: Workspace, account: Account, connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    post = factories.make_post(
        worker,
        account,
        state=PostState.PUBLISHED_NO_LINK,
        state_since=worker.ledger.now() - timedelta(seconds=61),
        privacy_level="PUBLIC_TO_EVERYONE",
    )
    assert wait(post).result["state"] == "PUBLISHED_NO_LINK"


@pytest.mark.parametrize("state", [PostState.HELD, PostState.FAILED])
def test_a_post_that_tiktok_does_not_have_is_skipped_with_the_reason(
    state: PostState, worker: Workspace, account: Account, connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    post = factories.make_post(worker, account, state=state, reason="nothing was sent")
    assert f"post {post.id} is {state}: nothing was sent" in wait(post).skipped_because


@pytest.mark.parametrize("state", [PostState.READY, PostState.UPLOADING])
def test_a_post_that_is_not_sent_yet_is_tried_again_without_a_call(
    state: PostState, worker: Workspace, account: Account, connect: Connect, closed_url: str
) -> None:
    connect(closed_url)
    ended = wait(factories.make_post(worker, account, state=state))
    assert (ended.state, ended.message.retry_reason) == ("up_for_retry", "not_sent")


@pytest.mark.parametrize(
    "later",
    [{"rescheduled_because": "TikTok is busy"}, {"publish_at": datetime(2100, 1, 1, tzinfo=UTC)}],
)
def test_a_post_that_goes_out_later_is_skipped(
    worker: Workspace,
    account: Account,
    connect: Connect,
    closed_url: str,
    later: dict[str, Any],
) -> None:
    connect(closed_url)
    post = factories.make_post(worker, account, **later)
    assert f"post {post.id} is READY" in wait(post).skipped_because


def test_tiktok_out_of_reach_is_retried_and_counted(
    worker: Workspace, tiktok: Simulator, sent_post: SendPost, retried: list[str]
) -> None:
    post = sent_post()
    tiktok.fault("status", status=503)
    ended = wait(post)
    assert ended.state == "up_for_retry"
    assert isinstance(ended.error, TikTokUnavailableError)
    assert retried == [ended.error.code]
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def test_tiktok_s_refusal_to_say_fails_at_once_and_keeps_the_post(
    worker: Workspace, tiktok: Simulator, sent_post: SendPost
) -> None:
    post = sent_post()
    tiktok.fault("status", status=401, code="access_token_invalid")
    ended = wait(post)
    assert ended.state == "failed"
    assert isinstance(ended.error, TikTokAuthError)
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def test_a_missing_connection_fails_at_once(
    sent_post: SendPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = sent_post()
    monkeypatch.delenv("AIRFLOW_CONN_TIKTOK_APP")
    ended = wait(post)
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)


# after the trigger fired


@pytest.mark.parametrize(
    ("status", "post_ids", "state"),
    [
        ("PUBLISH_COMPLETE", [LINK], "PUBLISHED"),
        ("PUBLISH_COMPLETE", [], "PUBLISHED_NO_LINK"),
        ("SEND_TO_USER_INBOX", [], "IN_INBOX"),
    ],
)
def test_a_final_status_is_written_down_and_returned_twice_the_same(
    status: str, post_ids: list[str], state: str, worker: Workspace, sent_post: SendPost
) -> None:
    post = sent_post()
    event = status_event(publish_id_of(worker, post), status, post_ids=post_ids)
    first = wait(post, event=event)
    told = story(worker, post)
    again = wait(post, event=event)
    assert first.result == {"state": state, "post_id": post_ids[0] if post_ids else None}
    assert again.result == first.result
    assert story(worker, post) == told
    assert factories.read_post(worker, post.id).state is PostState(state)


def test_a_failed_post_fails_the_task_at_once_with_the_fix_and_again_the_same(
    worker: Workspace, sent_post: SendPost
) -> None:
    post = sent_post()
    event = status_event(
        publish_id_of(worker, post), "FAILED", fail_reason="frame_rate_check_failed"
    )
    first, again = wait(post, event=event), wait(post, event=event)
    for ended in (first, again):
        assert ended.state == "failed"
        assert isinstance(ended.error, PostFailedError)
        assert ended.error.code == "frame_rate_check_failed"
        assert f"`reelflow posts retry {post.id}`" in str(ended.error)
    assert factories.read_post(worker, post.id).state is PostState.FAILED


def test_a_passed_deadline_skips_and_leaves_the_post_to_a_later_run(
    worker: Workspace, sent_post: SendPost
) -> None:
    post = sent_post()
    event = {
        "outcome": "deadline",
        "publish_id": publish_id_of(worker, post),
        "status": "PROCESSING_UPLOAD",
    }
    ended = wait(post, event=event)
    assert "PROCESSING_UPLOAD" in ended.skipped_because
    assert "a later run settles it" in ended.skipped_because
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def test_a_refusal_fails_with_tiktok_s_words_and_keeps_the_post(
    worker: Workspace, sent_post: SendPost
) -> None:
    post = sent_post()
    event = {
        "outcome": "refused",
        "publish_id": publish_id_of(worker, post),
        "code": "access_token_invalid",
        "message": "reconnect the account",
    }
    ended = wait(post, event=event)
    assert ended.state == "failed"
    assert isinstance(ended.error, TerminalError)
    assert (ended.error.code, str(ended.error)) == ("access_token_invalid", "reconnect the account")
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def test_what_is_said_of_a_given_up_publication_does_not_move_the_post(
    worker: Workspace, sent_post: SendPost
) -> None:
    post = sent_post()
    given_up = publish_id_of(worker, post)
    replace_publication(worker, post)
    wait(post, event=status_event(given_up, "FAILED", fail_reason="internal"))
    assert factories.read_post(worker, post.id).state is PostState.PROCESSING


def replace_publication(worker: Workspace, post: Post) -> None:
    """Give a post another publication, as a later init does."""
    with worker.ledger.write() as session:
        session.execute(
            update(Publication).values(is_current=False, state=PublicationState.SUPERSEDED)
        )
        session.add(
            Publication(
                post_id=post.id,
                ordinal=2,
                state=PublicationState.SENT,
                publish_id="v_pub_file~v2-1.another",
                size_bytes=1,
                chunk_size_bytes=1,
                total_chunks=1,
                created_at=worker.ledger.now(),
            )
        )
