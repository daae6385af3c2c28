"""Uploads past their URL's hour: left incomplete, landing late, published after being given up."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import get_args, get_type_hints

import pytest

from reelflow.domain.post import DONE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import LeaseLostError, TikTokUnavailableError
from reelflow.ledger.models import Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.settling.settle import apply_status
from tests.factories import waiting_work
from tests.integration.publisher import CHUNK, OWNER, Publisher, three_chunks
from tests.integration.runs import assert_delivered_once, let_runs_pass
from tests.integration.simulator_process import wait_until
from tiktok_simulator.switches import Switches

HOUR = timedelta(hours=1)
EXPIRED_ANSWERS = get_args(get_type_hints(Switches)["expired_upload"])
LATE_PUTS = get_args(get_type_hints(Switches)["late_put"])


def leave_incomplete(publisher: Publisher, chunk: int) -> Post:
    """Leave a post of three chunks as a process does that failed before a chunk was stored."""
    publisher.simulator.fault("put", status=503, chunk=chunk, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    return post


def alerts(publisher: Publisher, post: Post) -> list[str]:
    return [line for line in publisher.story(post) if "may be on TikTok twice" in line]


@pytest.mark.parametrize("answer", EXPIRED_ANSWERS)
def test_an_upload_left_before_its_last_chunk_past_the_hour_is_begun_anew(
    publisher: Publisher, answer: str
) -> None:
    publisher.simulator.switch(expired_upload=answer)
    post = leave_incomplete(publisher, 1)
    publisher.pass_time(HOUR)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert len(publisher.simulator.uploads()) == 2
    assert_delivered_once(publisher, post)


def test_an_upload_left_at_its_last_chunk_is_finished_by_the_next_run_while_its_url_lives(
    publisher: Publisher,
) -> None:
    """Nobody retries the task that left it, as when each of its tries was spent."""
    workspace = publisher.workspace
    post = leave_incomplete(publisher, -1)
    assert waiting_work(workspace) == frozenset()  # the run that took it may still retry
    publisher.pass_time(workspace.rules.claim)
    assert waiting_work(workspace) == {f"post:{post.id}"}
    run = NormalRun("next", workspace.ledger.now(), workspace.rules.max_lateness)
    (taken,) = find_new_uploads(workspace, run, actor="next")
    assert taken.post_id == post.id
    publisher.upload(post, owner="next", run_id="next")
    let_runs_pass(publisher, post)
    assert len(publisher.simulator.uploads()) == 1
    assert_delivered_once(publisher, post)


@pytest.mark.parametrize("answer", ["failed", "processing"])
def test_an_upload_left_at_its_last_chunk_is_begun_anew_once_tiktok_says_what_it_lacks(
    publisher: Publisher, answer: str
) -> None:
    publisher.simulator.switch(expired_upload=answer)
    post = leave_incomplete(publisher, -1)
    publisher.pass_time(HOUR)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert len(publisher.simulator.uploads()) == 2
    assert_delivered_once(publisher, post)


def test_an_upload_left_at_its_last_chunk_about_which_tiktok_says_nothing_is_for_a_person(
    publisher: Publisher,
) -> None:
    publisher.simulator.switch(expired_upload="processing_without_bytes")
    post = leave_incomplete(publisher, -1)
    publisher.pass_time(HOUR)
    let_runs_pass(publisher, post)
    after = publisher.read(post)
    assert after.state is PostState.UNKNOWN
    assert f"reelflow posts resolve {post.id}" in str(after.fix)
    assert len(publisher.simulator.uploads()) == 1
    assert publisher.simulator.posts() == []


@pytest.mark.parametrize(
    ("answer", "rule", "is_asked"),
    # TikTok publishes what it said had failed: see the next test.
    sorted({*product(EXPIRED_ANSWERS, LATE_PUTS, (False, True))} - {("failed", "always", True)}),
)
def test_a_put_that_lands_after_its_urls_hour_makes_no_second_post(
    publisher: Publisher, answer: str, rule: str, is_asked: bool
) -> None:
    publisher.simulator.switch(expired_upload=answer, late_put=rule)
    post = publisher.make_post()
    publisher.simulator.hold(-1, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        publisher.pass_time(HOUR + timedelta(minutes=1))
        if is_asked:
            publisher.sweep()
        publisher.simulator.release()
        upload.exception()
    let_runs_pass(publisher, post)
    after = publisher.read(post)
    if after.state is PostState.UNKNOWN:  # never told, and never posted again by a machine
        assert (answer, rule) == ("processing_without_bytes", "never")
        assert publisher.simulator.posts() == []
        return
    assert after.state in DONE
    assert_delivered_once(publisher, post)
    assert alerts(publisher, post) == []


def test_a_put_that_is_published_though_tiktok_said_that_it_failed_is_reported_to_a_person(
    publisher: Publisher,
) -> None:
    publisher.simulator.switch(late_put="always")
    post = publisher.make_post()
    publisher.simulator.hold(-1, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        first = publisher.current(post).publish_id
        publisher.pass_time(HOUR + timedelta(minutes=1))
        assert publisher.sweep().settled == {post.id: PostState.READY}
        publisher.clock.set(publisher.read(post).due_at)
        publisher.upload(post, owner="run-2/upload", run_id="run-2")
        publisher.simulator.release()
        assert upload.exception() is not None
    let_runs_pass(publisher, post)
    assert len(publisher.simulator.posts()) == 2  # TikTok broke its word
    tell_status(publisher, post, first)
    tell_status(publisher, post, first)
    (alert,) = alerts(publisher, post)
    assert "delete what is there twice" in alert


def tell_status(publisher: Publisher, post: Post, publish_id: str | None) -> None:
    """Let the ledger hear what TikTok says of a publication, as a poll or a webhook does."""
    assert publish_id is not None
    token = publisher.simulator.accounts[0]["access_token"]
    with publisher.simulator.client(publisher.limits) as client:
        status = client.fetch_status(token, publish_id)
    apply_status(publisher.workspace, post.id, publish_id, status, actor=OWNER)


def give_up(publisher: Publisher) -> tuple[Post, str]:
    """Return a post whose first publication was given up, and that one's publish_id."""
    publisher.simulator.switch(expired_upload="processing")
    post = leave_incomplete(publisher, 1)
    publisher.pass_time(HOUR)
    publisher.sweep()
    (first,) = publisher.publications(post)
    assert first.state is PublicationState.SUPERSEDED
    assert first.publish_id is not None
    return post, first.publish_id


def complete_late(publisher: Publisher, post: Post, publish_id: str) -> None:
    publisher.simulator.steer(f"/uploads/{publish_id}/complete")
    tell_status(publisher, post, publish_id)


def test_a_waiting_post_whose_given_up_publication_is_published_is_not_sent_again(
    publisher: Publisher,
) -> None:
    post, first = give_up(publisher)
    publisher.simulator.steer(f"/uploads/{first}/complete")
    publisher.pass_time(HOUR)
    publisher.sweep()
    assert publisher.read(post).state in DONE
    assert publisher.upload(post).publish_id == first
    assert len(publisher.simulator.uploads()) == 1
    assert alerts(publisher, post) == []


def test_an_upload_is_stopped_when_the_publication_before_it_is_published_after_all(
    publisher: Publisher,
) -> None:
    post, first = give_up(publisher)
    publisher.simulator.hold(1, "after")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        complete_late(publisher, post, first)
        publisher.simulator.release()
        assert isinstance(upload.exception(), LeaseLostError)
    assert publisher.read(post).state in DONE
    assert [one["publish_id"] for one in publisher.simulator.posts()] == [first]
    assert publisher.simulator.uploads()[1]["received_bytes"] == 2 * CHUNK
    assert alerts(publisher, post) == []


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_second_publication_that_is_published_too_is_reported_to_a_person(
    publisher: Publisher, is_settled: bool
) -> None:
    post, first = give_up(publisher)
    publisher.upload(post)
    if is_settled:
        let_runs_pass(publisher, post)
    complete_late(publisher, post, first)
    assert publisher.read(post).state in DONE
    (alert,) = alerts(publisher, post)
    assert f"Look at {publisher.account.name} in the TikTok app" in alert


def test_a_last_chunk_on_its_way_when_the_publication_before_it_is_published_is_reported(
    publisher: Publisher,
) -> None:
    post, first = give_up(publisher)
    publisher.simulator.hold(-1, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        complete_late(publisher, post, first)
        publisher.simulator.release()
        wait_until(upload.done, "the upload has ended")
    assert publisher.read(post).state in DONE
    assert len(alerts(publisher, post)) == 1
