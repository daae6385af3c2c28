"""Webhooks from the simulator to `reelflow serve`: posts reach their end though nobody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from sqlalchemy import select

from reelflow.domain.post import PostMode, PostState
from reelflow.exceptions import PostHeldError
from reelflow.ledger import accounts
from reelflow.ledger.models import Post
from reelflow.ledger.platform_models import WebhookEvent
from tests.factories import Clock
from tests.integration.publisher import RUN, Publisher
from tests.integration.simulator_process import Simulator, wait_until
from tests.integration.web_process import DEADLINE_S, WebProcess, serving
from tests.photo_files import make_photo_post

HOST = "reelflow.example"
S = PostState


@pytest.fixture
def clock() -> Clock:
    """The machine's time: `reelflow serve` has no other."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def web(publisher: Publisher, simulator: Simulator) -> Iterator[WebProcess]:
    """The web application of the publisher, to which TikTok sends its webhooks."""
    # Nobody asks for a status here, so the clock alone moves TikTok's posts on.
    simulator.switch(processing_s=0.05, link_s=0.05)
    with serving(publisher.workspace, simulator) as web:
        simulator.send_webhooks_to(web.webhook_url)
        yield web
        simulator.send_webhooks_to(None)


def becomes(publisher: Publisher, post: Post, state: PostState) -> None:
    wait_until(lambda: publisher.read(post).state is state, f"post {post.id} is {state}")


def deliveries(simulator: Simulator) -> list[dict[str, object]]:
    url = f"{simulator.api}/_sim/webhooks"
    return list(requests.get(url, timeout=DEADLINE_S).json()["deliveries"])


def all_delivered(simulator: Simulator) -> None:
    wait_until(
        lambda: all(one["state"] == "delivered" for one in deliveries(simulator)),
        "every webhook got all its 200s",
    )


def kept(publisher: Publisher) -> list[WebhookEvent]:
    with publisher.workspace.ledger.read() as session:
        return list(session.scalars(select(WebhookEvent).order_by(WebhookEvent.id)))


@pytest.mark.parametrize(("duplicates", "is_reordered"), [(0, False), (3, False), (2, True)])
def test_a_post_gets_its_link_by_webhooks_alone_however_they_are_delivered(
    publisher: Publisher,
    simulator: Simulator,
    web: WebProcess,
    duplicates: int,
    is_reordered: bool,
) -> None:
    simulator.steer("/webhooks", duplicates=duplicates, is_reordered=is_reordered)
    post = publisher.make_post()
    publisher.upload(post)
    becomes(publisher, post, S.PUBLISHED)
    all_delivered(simulator)
    events = deliveries(simulator)
    assert {one["event"] for one in events} == {
        "post.publish.complete",
        "post.publish.publicly_available",
    }
    assert len(kept(publisher)) == len(events)
    assert publisher.current(post).tiktok_post_id == simulator.posts()[0]["post_id"]
    publisher.assert_published_once(post)
    told = [line for line in publisher.story(post) if line.startswith("webhook:")]
    assert sum("TikTok published it" in line for line in told) in (2, 3)  # never once a delivery


def test_a_failure_is_told_with_its_fix(
    publisher: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    simulator.fail_next("frame_rate_check_failed")
    post = publisher.make_post()
    publisher.upload(post)
    becomes(publisher, post, S.FAILED)
    after = publisher.read(post)
    assert after.reason_code == "frame_rate_check_failed"
    assert f"reelflow posts retry {post.id}" in str(after.fix)


def test_a_draft_is_told_to_be_in_the_inbox(
    publisher: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    post = publisher.make_post(mode=PostMode.DRAFT, privacy_level=None)
    publisher.upload(post)
    becomes(publisher, post, S.IN_INBOX)


def test_a_creator_who_leaves_has_the_posts_held(
    publisher: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    post = publisher.make_post()
    username = simulator.accounts[0]["username"]
    simulator.steer(f"/accounts/{username}", remove_authorization=1)
    becomes(publisher, post, S.HELD)
    after = publisher.read(post)
    assert "the creator disconnected the app" in after.reason
    assert "reelflow accounts connect aurora" in str(after.fix)
    with publisher.workspace.ledger.read() as session:
        assert accounts.get(session, publisher.account.id).revoked


def test_what_nobody_took_is_sent_again_and_nothing_is_lost(
    publisher: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    simulator.steer("/webhooks", retry_s=0.05)
    web.ask_to_stop()
    assert web.wait() == 0
    post = publisher.make_post()
    publisher.upload(post)
    wait_until(lambda: any(one["attempts"] for one in deliveries(simulator)), "one was in vain")
    assert publisher.read(post).state is S.PROCESSING
    with serving(publisher.workspace, simulator, port=web.port):
        becomes(publisher, post, S.PUBLISHED)
        all_delivered(simulator)


def test_webhooks_settle_a_pull_whose_init_was_never_answered(
    publisher: Publisher, simulator: Simulator, web: WebProcess
) -> None:
    publisher = publisher.with_rules(public_url=f"https://{HOST}")
    simulator.serve_domain(HOST, web.address)
    post = make_photo_post(
        publisher.workspace, publisher.account, privacy_level="PUBLIC_TO_EVERYONE"
    )
    simulator.fault("init", when="after")
    with pytest.raises(PostHeldError):
        publisher.upload(post)
    assert publisher.read(post).state is S.UNKNOWN
    wait_until(lambda: len(kept(publisher)) == 2, "both events came")
    assert [event.applied_at for event in kept(publisher)] == [None, None]
    publisher.sweep(run_id=RUN)
    assert publisher.read(post).state is S.PUBLISHED
    assert len(simulator.posts()) == 1
    assert all(event.applied_at for event in kept(publisher))


def test_neither_secrets_nor_signatures_are_logged(
    publisher: Publisher, simulator: Simulator, web: WebProcess, make_post: Callable[..., Post]
) -> None:
    post = publisher.make_post()
    publisher.upload(post)
    becomes(publisher, post, S.PUBLISHED)
    forged = {"TikTok-Signature": f"t=1,s={'ab' * 32}"}
    answer = requests.post(web.webhook_url, data=b"{}", headers=forged, timeout=DEADLINE_S)
    assert answer.status_code == 403
    log = web.log()
    assert "The webhook is refused as forged" in log
    assert simulator.client_secret not in log + answer.text
    assert "ab" * 32 not in log + answer.text
