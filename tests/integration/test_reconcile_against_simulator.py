"""Settling by TikTok's word over real HTTP: links, drafts, lost inits, cancels, a person's word."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reelflow.domain.post import PUBLISHED, PostMode, PostState
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import PostHeldError, TikTokRejectedError, TikTokUnavailableError
from reelflow.ledger.models import Account, Post
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.settling.sweep import SweepReport
from reelflow.services.settling.webhooks import receive
from reelflow.services.steering.cancelling import ask_to_cancel
from reelflow.services.steering.commands import retry
from reelflow.services.steering.resolving import resolve_not_published, resolve_published
from reelflow.tiktok.webhooks import WebhookEvent as TikTokEvent
from tests import factories
from tests.factories import Clock, change_account
from tests.integration.public_server import PublicServer, serving
from tests.integration.publisher import RUN, Publisher, three_chunks
from tests.integration.simulator_process import Simulator, wait_until

HOST = "reelflow.example"
HOUR = timedelta(hours=1)
PERSON = "person:ann"
S = PostState


@pytest.fixture
def clock() -> Clock:
    """The machine's time: TikTok's videos are dated by it."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def account(publisher: Publisher) -> Account:
    """The publisher's account, whose videos may be listed."""
    change_account(publisher.workspace, publisher.account.id, scopes="video.list,video.publish")
    return publisher.account


@pytest.fixture
def puller(publisher: Publisher, account: Account) -> Publisher:
    """A publisher whose videos TikTok fetches itself."""
    source = MediaSource.PULL_FROM_URL
    change_account(publisher.workspace, account.id, video_source=source)
    return publisher.with_rules(public_url=f"https://{HOST}")


@pytest.fixture
def public_server(puller: Publisher) -> Iterator[PublicServer]:
    with serving(puller.workspace) as server:
        puller.simulator.serve_domain(HOST, server.address)
        yield server


def sweep(publisher: Publisher) -> SweepReport:
    return publisher.sweep(run_id=RUN)


def sweep_until(publisher: Publisher, post: Post, state: PostState) -> None:
    """Settle again and again, as runs do, until TikTok brought the post there."""
    wait_until(
        lambda: sweep(publisher) and publisher.read(post).state is state,
        f"post {post.id} is {state}",
    )


def lose_init(puller: Publisher, *, when: str = "after", caption: str = "Lake at dawn") -> Post:
    """Leave a pull as a process does that never got the answer to its init."""
    puller.simulator.switch(processing_s=0.05, link_s=0)  # nobody can ask for its status
    puller.simulator.fault("init", when=when)
    post = puller.make_post(caption=caption)
    with pytest.raises(PostHeldError) as lost:
        puller.upload(post)
    assert lost.value.code == "init_answer_lost"
    assert puller.read(post).state is S.UNKNOWN
    return post


def cancel(publisher: Publisher, post: Post) -> Post:
    with publisher.simulator.client(publisher.limits) as client:
        tiktok = factories.account_clients(publisher.workspace, client)
        return ask_to_cancel(publisher.workspace, tiktok, post.id, actor=PERSON)


def test_a_post_without_a_link_gains_it_when_tiktok_tells_it_later(publisher: Publisher) -> None:
    post = publisher.make_post()
    publisher.simulator.switch(link_polls=2)
    publisher.upload(post)
    sweep_until(publisher, post, S.PUBLISHED_NO_LINK)
    assert sweep(publisher).settled == {}  # asked a moment ago
    for expected in (S.PUBLISHED_NO_LINK, S.PUBLISHED):
        publisher.pass_time(HOUR)
        sweep(publisher)
        assert publisher.read(post).state is expected
    (posted,) = publisher.simulator.posts()
    assert publisher.current(post).tiktok_post_id == posted["post_id"]


def test_a_post_whose_link_no_status_ever_tells_is_found_among_the_accounts_videos(
    publisher: Publisher, account: Account
) -> None:
    publisher.simulator.switch(link_polls=1000)
    others = [publisher.make_post(caption=text) for text in ("Forest", "Lake", "Lake")]
    post = publisher.make_post(caption="Lake  at dawn 🌱")
    for one in (*others, post):
        publisher.upload(one)
    sweep_until(publisher, post, S.PUBLISHED)
    publish_id = publisher.current(post).publish_id
    (posted,) = [one for one in publisher.simulator.posts() if one["publish_id"] == publish_id]
    assert publisher.current(post).tiktok_post_id == posted["post_id"]
    publisher.pass_time(HOUR)
    sweep(publisher)
    # Which of two posts with one caption is which is not known.
    assert [publisher.read(one).state for one in others] == [
        S.PUBLISHED,
        S.PUBLISHED_NO_LINK,
        S.PUBLISHED_NO_LINK,
    ]


def test_a_draft_that_its_creator_posts_is_published(publisher: Publisher) -> None:
    post = publisher.make_post(mode=PostMode.DRAFT)
    publisher.upload(post)
    sweep_until(publisher, post, S.IN_INBOX)
    publish_id = publisher.current(post).publish_id
    publisher.simulator.steer(f"/drafts/{publish_id}/post", privacy_level="PUBLIC_TO_EVERYONE")
    publisher.pass_time(HOUR)
    assert sweep(publisher).settled == {post.id: S.PUBLISHED}


def test_a_given_up_publication_that_is_published_after_all_is_found_within_an_hour(
    publisher: Publisher,
) -> None:
    publisher.simulator.switch(expired_upload="processing")
    post = publisher.make_post(three_chunks())
    publisher.simulator.fault("put", status=503, chunk=1, times=publisher.limits.chunk_attempts)
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    (upload,) = publisher.simulator.uploads()
    publisher.pass_time(HOUR)
    sweep(publisher)
    assert publisher.current_or_none(post) is None
    publisher.simulator.steer(f"/uploads/{upload['publish_id']}/complete")
    publisher.pass_time(HOUR)
    sweep_until(publisher, post, S.PUBLISHED_NO_LINK)
    assert publisher.current(post).publish_id == upload["publish_id"]
    assert len(publisher.simulator.uploads()) == 1


def test_a_lost_init_is_settled_by_the_webhook_that_speaks_of_it(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = lose_init(puller)
    wait_until(puller.simulator.posts, "TikTok fetched the video")
    (opened,) = puller.simulator.uploads()
    receive(
        puller.workspace,
        TikTokEvent(
            event="post.publish.complete",
            client_key=puller.simulator.client_key,
            create_time=puller.clock().replace(microsecond=0),
            user_openid=puller.account.open_id,
            publish_id=opened["publish_id"],
            publish_type="DIRECT_PUBLISH",
            post_id=None,
            reason=None,
            content="",
            digest="d" * 64,
        ),
    )
    assert puller.read(post).state is S.UNKNOWN
    assert sweep(puller).settled[post.id] in PUBLISHED
    assert puller.current(post).publish_id == opened["publish_id"]
    puller.pass_time(HOUR)
    sweep_until(puller, post, S.PUBLISHED)
    with puller.workspace.ledger.read() as session:
        assert session.query(WebhookEvent).one().applied_at is not None


def test_a_lost_init_is_settled_by_the_video_that_appears_on_the_account(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = lose_init(puller)
    wait_until(puller.simulator.posts, "TikTok fetched the video")
    sweep_until(puller, post, S.PUBLISHED)
    (posted,) = puller.simulator.posts()
    assert puller.current(post).tiktok_post_id == posted["post_id"]
    assert puller.current(post).publish_id is None


def test_of_two_lost_inits_with_one_caption_a_person_must_say_which_is_there(
    puller: Publisher, public_server: PublicServer
) -> None:
    posts = [lose_init(puller), lose_init(puller, when="before")]
    wait_until(puller.simulator.posts, "TikTok fetched the one that it opened")
    for _ in range(2):
        assert set(sweep(puller).still_unsettled) == {post.id for post in posts}
    for post in posts:
        after = puller.read(post)
        assert after.state is S.UNKNOWN
        assert f"`reelflow posts resolve {post.id} --published`" in str(after.fix)


def test_a_person_who_found_the_post_settles_it(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = lose_init(puller)
    wait_until(puller.simulator.posts, "TikTok fetched the video")
    (posted,) = puller.simulator.posts()
    resolve_published(puller.workspace, post.id, actor=PERSON, tiktok_post_id=posted["post_id"])
    report = sweep(puller)
    assert [news.tiktok_post_id for news in report.to_announce] == [posted["post_id"]]
    assert report.cleaned == [post.id]


def test_a_post_that_a_person_did_not_find_is_tried_again_and_is_there_once(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = lose_init(puller, when="before")  # TikTok never opened it
    assert puller.simulator.uploads() == []
    puller.pass_time(puller.workspace.rules.public_url_lifetime)
    resolve_not_published(puller.workspace, post.id, actor=PERSON)
    retry(puller.workspace, post.id, actor=PERSON)
    puller.upload(post)
    sweep_until(puller, post, S.PUBLISHED)
    (posted,) = puller.simulator.posts()
    assert posted["publish_id"] == puller.current(post).publish_id


def test_a_pull_that_downloads_is_cancelled_and_not_fetched_again(puller: Publisher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and never answers
        puller.simulator.serve_domain(HOST, f"http://127.0.0.1:{silent.getsockname()[1]}")
        post = puller.make_post()
        puller.upload(post)
        assert puller.read(post).state is S.PROCESSING
        cancel(puller, post)
        after = puller.read(post)
        assert (after.state, after.reason_code) == (S.FAILED, "publish_cancelled")
        assert sweep(puller).settled == {}
    assert puller.simulator.posts() == []


def test_a_post_that_tiktok_has_in_full_is_not_cancelled_and_goes_on(publisher: Publisher) -> None:
    publisher.simulator.switch(processing_polls=3)
    post = publisher.make_post()
    publisher.upload(post)
    with pytest.raises(TikTokRejectedError) as refused:
        cancel(publisher, post)
    assert refused.value.code == "publish_not_cancellable"
    assert publisher.read(post).state is S.PROCESSING
    sweep_until(publisher, post, S.PUBLISHED_NO_LINK)
    assert any("TikTok does not cancel it" in line for line in publisher.story(post))


def test_an_upload_that_waits_for_its_last_byte_is_cancelled_by_tiktok(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=503, times=publisher.limits.chunk_attempts, chunk=-1)
    post = publisher.make_post()
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    assert publisher.read(post).state is S.COMMITTING
    cancel(publisher, post)
    assert publisher.read(post).reason_code == "publish_cancelled"
    assert publisher.simulator.posts() == []


def test_an_account_over_its_status_budget_does_not_hold_up_another(
    publisher: Publisher, simulator: Simulator
) -> None:
    creator = simulator.accounts[1]
    other = factories.make_account(
        publisher.workspace, "other", open_id=creator["open_id"],
        access_token=creator["access_token"],
    )  # fmt: skip
    busy, fine = publisher.make_post(), factories.make_post(publisher.workspace, other)
    for post in (busy, fine):
        publisher.upload(post)
    simulator.fault("status", status=429, code="rate_limit_exceeded", open_id=creator["open_id"])
    report = sweep(publisher)
    assert "rate_limit_exceeded" in report.still_unsettled[fine.id]
    sweep_until(publisher, busy, S.PUBLISHED_NO_LINK)
    assert publisher.read(fine).state is S.PROCESSING  # a minute must pass
    publisher.pass_time(2 * HOUR)
    sweep_until(publisher, fine, S.PUBLISHED_NO_LINK)
