"""Sweeping after uploads that stopped on the way, with TikTok's and the ledger's clock together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import TikTokUnavailableError
from reelflow.ledger.models import Post
from tests.factories import change_post
from tests.integration.publisher import Publisher, three_chunks


def upload_until_chunk(publisher: Publisher, chunk: int) -> Post:
    """Leave a post as a worker leaves it that dies before TikTok stored a chunk."""
    publisher.simulator.fault("put", status=503, chunk=chunk, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    if publisher.read(post).state is PostState.READY:
        change_post(publisher.workspace, post.id, state=PostState.UPLOADING)
    change_post(publisher.workspace, post.id, claimed_by=None, claimed_until=None)
    return post


def test_an_upload_whose_worker_died_goes_on_under_the_same_publish_id(
    publisher: Publisher,
) -> None:
    post = upload_until_chunk(publisher, 1)
    assert publisher.sweep().returned_to_ready == [post.id]
    publish_id = publisher.current(post).publish_id
    assert publisher.upload(post).publish_id == publish_id
    publisher.assert_published_once(post)


def test_an_upload_whose_hour_passed_is_begun_anew(publisher: Publisher) -> None:
    post = upload_until_chunk(publisher, 1)
    publisher.pass_time(timedelta(hours=1))
    publisher.sweep()
    assert publisher.read(post).state is PostState.READY
    assert publisher.current_or_none(post) is None
    publisher.upload(post)
    states = [one.state for one in publisher.publications(post)]
    assert states == [PublicationState.SUPERSEDED, PublicationState.SENT]
    publisher.assert_published_once(post)


def test_a_sent_post_is_settled_cleaned_and_announced_by_a_later_run(
    publisher: Publisher,
) -> None:
    post = publisher.make_post()
    publisher.upload(post)
    content = publisher.content(post)
    publisher.clock.advance(timedelta(minutes=15))  # the run that sent it died: its claim lapses
    assert list(publisher.sweep().still_unsettled) == [post.id]  # TikTok still processes it
    report = publisher.sweep()
    assert report.settled == {post.id: PostState.PUBLISHED_NO_LINK}
    assert (report.cleaned, [one.post_id for one in report.to_announce]) == ([post.id], [post.id])
    assert publisher.simulator.content(publisher.simulator.posts()[0]["publish_id"]) == content


def test_a_post_whose_last_byte_was_lost_is_sent_again_once_tiktok_says_that_it_failed(
    publisher: Publisher,
) -> None:
    post = upload_until_chunk(publisher, -1)
    assert publisher.read(post).state is PostState.COMMITTING
    publisher.sweep()
    assert publisher.read(post).state is PostState.COMMITTING
    publisher.pass_time(timedelta(hours=1))
    assert publisher.sweep().settled == {post.id: PostState.READY}
    assert publisher.simulator.posts() == []
    publisher.upload(post)
    assert len(publisher.simulator.uploads()) == 2
    publisher.assert_published_once(post)


def test_a_post_whose_last_byte_provably_never_came_is_ready_again(publisher: Publisher) -> None:
    post = upload_until_chunk(publisher, -1)
    slack = timedelta(seconds=publisher.limits.longest_put_s, hours=1, minutes=5)
    publisher.clock.advance(slack + timedelta(seconds=1))  # TikTok stays silent about a failure
    assert publisher.sweep().settled == {post.id: PostState.READY}
    publisher.upload(post)
    assert len(publisher.simulator.uploads()) == 2
    publisher.assert_published_once(post)


def test_a_post_whose_last_byte_arrived_unacknowledged_is_settled_without_sending(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", "drop", when="after", chunk=-1)
    post = publisher.make_post(three_chunks())
    once = replace(publisher, limits=replace(publisher.limits, chunk_attempts=1))
    with pytest.raises(TikTokUnavailableError):
        once.upload(post)
    assert publisher.read(post).state is PostState.COMMITTING
    change_post(publisher.workspace, post.id, claimed_by=None, claimed_until=None)
    for _ in range(3):
        publisher.sweep()
    assert publisher.read(post).state is PostState.PUBLISHED_NO_LINK
    assert len(publisher.simulator.posts()) == 1


def test_a_sweep_while_tiktok_is_down_changes_nothing_and_asks_again(
    publisher: Publisher,
) -> None:
    first, second = publisher.make_post(), publisher.make_post()
    for post in (first, second):
        publisher.upload(post)
        change_post(publisher.workspace, post.id, claimed_by=None, claimed_until=None)
    publisher.simulator.fault("status", status=503, times=1)
    # After the first failure of their account the other one is not asked about.
    assert set(publisher.sweep().still_unsettled) == {first.id, second.id}
    for _ in range(2):
        report = publisher.sweep()
    assert set(report.settled) == {first.id, second.id}
