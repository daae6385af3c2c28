"""upload_to_tiktok over real HTTP: what TikTok gets, what the ledger knew before, what fails."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    LeaseLostError,
    MediaUnreadableError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
    SourceChangedError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger import batches
from reelflow.ledger.cipher import Cipher
from reelflow.services.intake.prepare import validate
from reelflow.services.steering.commands import cancel, retry
from reelflow.services.summarize import summarize
from reelflow.tiktok.limits import TikTokLimits
from tests import media_files
from tests.data_folder import data_folder
from tests.integration.ledger_witness import witness
from tests.integration.publisher import CHUNK, OWNER, RUN, Publisher, three_chunks

INIT = "/v2/post/publish/video/init/"
CREATOR_INFO = "/v2/post/publish/creator_info/query/"


def test_a_real_video_goes_from_validation_to_its_link(publisher: Publisher) -> None:
    post = publisher.make_post(
        media_files.h264_mp4().read_bytes(), validated=False, caption="Spring 🌱 #garden"
    )
    validate(publisher.workspace, post.id, run_id=RUN, actor=OWNER)
    uploaded = publisher.upload(post)
    assert uploaded.state is PostState.PROCESSING
    publisher.assert_published_once(post)
    assert publisher.settle(post) is PostState.PUBLISHED
    assert publisher.current(post).tiktok_post_id == publisher.simulator.posts()[0]["post_id"]
    assert publisher.simulator.uploads()[0]["post_info"]["title"] == "Spring 🌱 #garden"


def test_a_video_above_64_mb_is_sent_in_the_chunks_of_the_real_limits(publisher: Publisher) -> None:
    post = publisher.make_post(os.urandom(1_000_000) * 70)
    replace(publisher, limits=TikTokLimits()).upload(post)
    assert publisher.simulator.uploads()[0]["chunks"] == [32_000_000, 38_000_000]
    publisher.assert_published_once(post)


def test_a_private_post_ends_without_a_link(publisher: Publisher) -> None:
    post = publisher.make_post(privacy_level="SELF_ONLY")
    publisher.upload(post)
    assert publisher.settle(post) is PostState.PUBLISHED_NO_LINK


def test_a_draft_ends_in_the_inbox_and_asks_nothing_of_the_creator(publisher: Publisher) -> None:
    publisher.simulator.fault("creator_info", status=500, times=10)
    post = publisher.make_post(mode=PostMode.DRAFT, privacy_level=None)
    publisher.upload(post)
    assert publisher.settle(post) is PostState.IN_INBOX
    assert publisher.simulator.posts() == []
    publisher.assert_published_once(post)


@pytest.mark.parametrize("settled", [False, True])
def test_a_second_upload_of_a_sent_post_sends_nothing(publisher: Publisher, settled: bool) -> None:
    post = publisher.make_post()
    first = publisher.upload(post)
    if settled:
        publisher.settle(post)
    for call in ("creator_info", "init", "put", "status"):
        publisher.simulator.fault(call, times=9)  # whatever it asks of TikTok would raise
    again = publisher.upload(post, run_id="run-2", owner="run-2/upload")
    assert again.publish_id == first.publish_id
    assert len(publisher.simulator.uploads()) == 1


def test_each_call_to_tiktok_finds_the_write_before_it_in_the_ledger(publisher: Publisher) -> None:
    post = publisher.make_post(three_chunks())

    def look() -> tuple[PostState, list[PublicationState]]:
        return publisher.read(post).state, [one.state for one in publisher.publications(post)]

    with witness(publisher.simulator.api, look) as (host, seen):
        watched = replace(publisher, host=host)
        publisher.simulator.hold(0, "before")
        with watched.uploading(post) as upload:
            publisher.simulator.wait_until_held()
            first = publisher.current(post)
            assert (first.publish_id, first.acknowledged_bytes) == (
                publisher.simulator.uploads()[0]["publish_id"],
                0,
            )
            assert first.upload_url_encrypted is not None
            assert look() == (PostState.UPLOADING, [PublicationState.UPLOADING])
            publisher.simulator.hold(1, "before")
            publisher.simulator.hold(-1, "before")
            publisher.simulator.release()
        upload.result()
    assert seen == [
        (CREATOR_INFO, (PostState.UPLOADING, [])),
        (INIT, (PostState.UPLOADING, [PublicationState.INITIATING])),
    ]


@pytest.mark.parametrize(
    ("chunk", "state", "acknowledged"),
    [
        (1, PostState.UPLOADING, CHUNK),
        (-1, PostState.COMMITTING, 2 * CHUNK),
    ],
)
def test_progress_is_written_before_the_next_chunk_and_committing_before_the_last(
    publisher: Publisher, chunk: int, state: PostState, acknowledged: int
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(chunk, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        assert publisher.read(post).state is state
        assert publisher.current(post).state == state.value
        assert publisher.current(post).acknowledged_bytes == acknowledged
    assert upload.result().state is PostState.PROCESSING


def test_an_upload_that_was_cancelled_stops_before_its_last_chunk(publisher: Publisher) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(1, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        cancel(publisher.workspace, post.id, actor="a person")
        publisher.simulator.release()
        assert isinstance(upload.exception(), LeaseLostError)
    assert publisher.read(post).state is PostState.CANCELLED
    assert publisher.current_or_none(post) is None
    assert publisher.simulator.posts() == []
    assert publisher.simulator.uploads()[0]["received_bytes"] < len(publisher.content(post))
    with pytest.raises(PostNotTakeableError, match="cancelled by a person"):
        publisher.upload(post)


@pytest.mark.parametrize("kind", ["error", "drop"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "chunk"), [("creator_info", None), ("init", None), ("put", 0), ("put", 1), ("put", -1)]
)
def test_trouble_at_any_call_ends_in_one_post_of_the_same_bytes(
    publisher: Publisher, call: str, chunk: int | None, when: str, kind: str
) -> None:
    fields: dict[str, Any] = {} if chunk is None else {"chunk": chunk}
    publisher.simulator.fault(call, kind, when=when, **fields)
    post = publisher.make_post(three_chunks())
    publisher.upload_until_sent(post)
    publisher.assert_published_once(post)
    assert publisher.settle(post) is PostState.PUBLISHED
    opened = 2 if (call, when) == ("init", "after") else 1
    assert len(publisher.simulator.uploads()) == opened


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("chunk", [0, 1, -1])
def test_a_chunk_is_sent_from_where_the_ledger_stands_when_tiktok_gives_no_status(
    publisher: Publisher, chunk: int, when: str
) -> None:
    publisher.simulator.fault("put", "drop", when=when, chunk=chunk)
    publisher.simulator.fault("status", status=503, times=2)
    post = publisher.make_post(three_chunks())
    publisher.upload_until_sent(post)
    publisher.assert_published_once(post)
    assert len(publisher.publications(post)) == 1


def test_a_lost_init_answer_is_begun_again_under_another_publish_id(publisher: Publisher) -> None:
    publisher.simulator.fault("init", "drop", when="after")
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    (lost,) = publisher.publications(post)
    assert (lost.state, lost.publish_id) == (PublicationState.SUPERSEDED, None)
    assert publisher.read(post).rescheduled_because is not None
    publisher.upload(post)
    states = [one.state for one in publisher.publications(post)]
    assert states == [PublicationState.SUPERSEDED, PublicationState.SENT]
    publisher.assert_published_once(post)


@pytest.mark.parametrize("status", [403, 404])
def test_an_upload_url_that_died_before_the_last_byte_is_replaced_by_a_new_one(
    publisher: Publisher, status: int
) -> None:
    publisher.simulator.fault("put", status=status, chunk=1)
    post = publisher.make_post(three_chunks())
    assert publisher.upload(post).state is PostState.PROCESSING
    states = [one.state for one in publisher.publications(post)]
    assert states == [PublicationState.SUPERSEDED, PublicationState.SENT]
    publisher.assert_published_once(post)


@pytest.mark.parametrize("status", [403, 404])
def test_an_upload_url_that_died_at_the_last_byte_is_never_replaced(
    publisher: Publisher, status: int
) -> None:
    publisher.simulator.fault("put", status=status, chunk=-1, times=3)
    post = publisher.make_post(three_chunks())
    for _ in range(3):
        assert publisher.upload(post).state is PostState.COMMITTING
    assert len(publisher.simulator.uploads()) == 1
    publisher.upload(post)
    publisher.assert_published_once(post)


def test_an_upload_url_whose_hour_ends_on_the_way_is_replaced_before_committing(
    publisher: Publisher,
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(1, "after")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        publisher.pass_time(timedelta(hours=1))
    assert upload.result().state is PostState.PROCESSING
    states = [one.state for one in publisher.publications(post)]
    assert states == [PublicationState.SUPERSEDED, PublicationState.SENT]
    publisher.assert_published_once(post)


def test_a_failure_that_tiktok_tells_before_the_last_byte_costs_the_publication_only(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=503, chunk=1, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    publisher.simulator.advance(3600)  # TikTok's clock alone: it says FAILED, we believe in the URL
    assert publisher.upload(post).state is PostState.PROCESSING
    publisher.assert_published_once(post)


def test_a_publish_id_that_tiktok_forgot_is_replaced_before_the_last_byte(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=503, chunk=1, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    publisher.simulator.reset()
    assert publisher.upload(post).state is PostState.PROCESSING
    publisher.assert_published_once(post)


def test_the_sixth_publication_is_not_opened_and_the_post_fails_with_the_fix(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=404, chunk=0, times=99)
    post = publisher.make_post(three_chunks())
    with pytest.raises(PostFailedError, match="5 uploads were begun") as failed:
        publisher.upload(post)
    assert failed.value.code == "too_many_publications"
    after = publisher.read(post)
    assert after.state is PostState.FAILED
    assert f"reelflow posts retry {post.id}" in str(after.fix)
    assert len(publisher.simulator.uploads()) == 5


def test_an_upload_that_never_gets_through_is_tried_for_hours_then_ends_failed_with_the_fix(
    publisher: Publisher,
) -> None:
    post = publisher.make_post(three_chunks())
    pauses = []
    while publisher.read(post).state is PostState.READY:
        publisher.simulator.fault("put", status=503, chunk=1, times=2)
        with pytest.raises((TikTokUnavailableError, PostFailedError)):
            publisher.upload(post)
        after = publisher.read(post)
        pauses.append((after.due_at - publisher.clock()).total_seconds())
        publisher.pass_time(max(after.due_at - publisher.clock(), timedelta(0)))
    assert pauses[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert (after.state, after.reason_code) == (PostState.FAILED, "too_many_publications")
    assert f"reelflow posts retry {post.id}" in str(after.fix)
    assert len(publisher.simulator.uploads()) == publisher.workspace.rules.max_publications
    with pytest.raises(PostNotTakeableError):
        publisher.upload(post)
    retry(publisher.workspace, post.id, actor="a person")
    assert publisher.upload_until_sent(post).state is PostState.PROCESSING
    publisher.assert_published_once(post)


@pytest.mark.parametrize("call", ["creator_info", "init"])
def test_an_outage_before_the_first_byte_fails_no_post_however_long_it_lasts(
    publisher: Publisher, call: str
) -> None:
    publisher.simulator.fault(call, status=503, times=12)
    post = publisher.make_post()
    for _ in range(12):
        with pytest.raises(TikTokUnavailableError):
            publisher.upload(post)
        after = publisher.read(post)
        assert after.state is PostState.READY
        publisher.pass_time(after.due_at - publisher.clock())
    publisher.upload(post)
    publisher.assert_published_once(post)


def test_bytes_that_tiktok_acknowledges_and_forgets_again_and_again_end_the_upload(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=206, chunk=0, times=99)  # said, but nothing is stored
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError, match="does not move on"):
        publisher.upload(post)
    assert publisher.read(post).upload_failures == 1


def test_tiktok_out_of_reach_counts_no_failure_and_keeps_the_post(publisher: Publisher) -> None:
    post = publisher.make_post()
    away = replace(publisher, host="http://127.0.0.1:1")
    for _ in range(7):
        with pytest.raises(TikTokUnreachableError):
            away.upload(post)
        after = publisher.read(post)
        assert (after.state, after.upload_failures) == (PostState.READY, 0)
        assert after.due_at == publisher.clock() + timedelta(minutes=5)
        assert "nothing was sent" in str(after.rescheduled_because)
        publisher.clock.set(after.due_at)
    publisher.upload(post)
    publisher.assert_published_once(post)


@pytest.mark.parametrize("call", ["creator_info", "init"])
def test_a_rate_limit_reschedules_by_what_tiktok_asks_for_and_costs_no_try(
    publisher: Publisher, call: str
) -> None:
    post = publisher.make_post()
    for _ in range(6):
        publisher.simulator.fault(call, status=429, code="rate_limit_exceeded")
        with pytest.raises(TikTokRateLimitedError) as limited:
            publisher.upload(post)
        assert limited.value.retry_after_s == 60
        after = publisher.read(post)
        assert (after.state, after.upload_failures) == (PostState.READY, 0)
        assert after.due_at == publisher.clock() + timedelta(seconds=60)
        publisher.clock.set(after.due_at)
    publisher.upload(post)
    publisher.assert_published_once(post)


def test_an_account_at_its_daily_cap_waits_a_day(publisher: Publisher) -> None:
    publisher.simulator.fault("creator_info", status=200, code="spam_risk_too_many_posts")
    post = publisher.make_post()
    with pytest.raises(TikTokRateLimitedError):
        publisher.upload(post)
    assert publisher.read(post).due_at == publisher.clock() + timedelta(days=1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (
            {"status": 200, "code": "spam_risk_user_banned_from_posting"},
            "spam_risk_user_banned_from_posting",
        ),
        ({"status": 401, "code": "access_token_invalid"}, "account_revoked"),
        ({"status": 401, "code": "scope_not_authorized"}, "scope_not_authorized"),
    ],
)
def test_a_creator_who_may_not_post_holds_the_post_before_any_init(
    publisher: Publisher, fault: dict[str, Any], code: str
) -> None:
    publisher.simulator.fault("creator_info", **fault)
    post = publisher.make_post()
    with pytest.raises(PostHeldError) as held:
        publisher.upload(post)
    assert held.value.code == code
    after = publisher.read(post)
    assert (after.state, after.reason_code) == (PostState.HELD, code)
    assert re.search(rf"reelflow (posts release {post.id}|accounts connect)", str(after.fix))
    assert publisher.simulator.uploads() == []
    assert publisher.publications(post) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"privacy_level": "FOLLOWER_OF_CREATOR"}, "privacy_not_offered"),
        ({"duration": 600.5}, "longer_than_creator_may"),
    ],
)
def test_what_the_creator_does_not_offer_now_holds_the_post_before_any_init(
    publisher: Publisher, fields: dict[str, Any], code: str
) -> None:
    duration_s = fields.pop("duration", 1.5)
    post = publisher.make_post(facts={"duration_s": duration_s}, **fields)
    with pytest.raises(PostHeldError) as held:
        publisher.upload(post)
    assert held.value.code == code
    assert publisher.read(post).fix
    assert publisher.simulator.uploads() == []


def test_the_creator_is_asked_again_before_each_init(publisher: Publisher) -> None:
    publisher.simulator.fault("put", status=404, chunk=1)
    post = publisher.make_post(three_chunks())
    with witness(publisher.simulator.api, lambda: None) as (host, seen):
        replace(publisher, host=host).upload(post)
    calls = [path for path, _ in seen]
    assert calls == [CREATOR_INFO, INIT, CREATOR_INFO, INIT]


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("privacy_level_option_mismatch", PostState.HELD),
        ("unaudited_client_can_only_post_to_private_accounts", PostState.HELD),
        ("invalid_params", PostState.FAILED),
    ],
)
def test_what_init_refuses_is_held_or_failed_and_counts_as_no_publication(
    publisher: Publisher, code: str, state: PostState
) -> None:
    publisher.simulator.fault("init", status=403, code=code)
    post = publisher.make_post()
    with pytest.raises((PostHeldError, PostFailedError)) as refused:
        publisher.upload(post)
    assert refused.value.code == code
    after = publisher.read(post)
    assert (after.state, after.publications_forgiven) == (state, 1)
    assert code in after.reason
    assert after.fix


def test_what_tiktok_fails_after_the_last_byte_is_failed_with_the_sentence(
    publisher: Publisher,
) -> None:
    publisher.simulator.fail_next("picture_size_check_failed")
    post = publisher.make_post()
    publisher.upload(post)
    assert publisher.settle(post) is PostState.FAILED
    after = publisher.read(post)
    assert after.reason_code == "picture_size_check_failed"
    assert "360 to 4096 pixels" in str(after.fix)
    assert f"reelflow posts retry {post.id}" in str(after.fix)
    with pytest.raises(PostNotTakeableError):
        publisher.upload(post)
    assert len(publisher.simulator.uploads()) == 1


def test_a_source_that_changes_before_the_upload_fails_the_post_and_opens_nothing(
    publisher: Publisher,
) -> None:
    post = publisher.make_post(three_chunks())
    path = data_folder(publisher.workspace).path(post.media.source_path)
    path.write_bytes(three_chunks())
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(PostFailedError, match="changed after it was taken from the inbox"):
        publisher.upload(post)
    assert publisher.read(post).state is PostState.FAILED
    assert publisher.simulator.uploads() == []


@pytest.mark.parametrize("damage", ["overwrite", "truncate"])
def test_a_source_that_changes_between_two_chunks_is_not_published(
    publisher: Publisher, damage: str
) -> None:
    post = publisher.make_post(three_chunks())
    path = data_folder(publisher.workspace).path(post.media.source_path)
    publisher.simulator.hold(0, "after")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        if damage == "truncate":
            os.truncate(path, CHUNK + 5)
        else:
            with path.open("r+b") as file:
                file.seek(2 * CHUNK)
                file.write(b"other bytes")
        publisher.simulator.release()
        assert isinstance(upload.exception(), PostFailedError)
    after = publisher.read(post)
    assert (after.state, after.reason_code) == (PostState.FAILED, "source_changed")
    assert after.fix == "put the file into the inbox again"
    assert publisher.simulator.posts() == []
    assert [one.state for one in publisher.publications(post)] == [PublicationState.SUPERSEDED]


def test_a_source_that_changes_during_the_last_chunk_is_not_published(publisher: Publisher) -> None:
    post = publisher.make_post(three_chunks() + os.urandom(4 * 1024 * 1024))
    path = data_folder(publisher.workspace).path(post.media.source_path)
    publisher.simulator.hold(-1, "before")  # the simulator reads nothing, so most is still unsent
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        with path.open("r+b") as file:
            file.seek(-5, os.SEEK_END)
            file.write(b"other")
        publisher.simulator.release()
        assert isinstance(upload.exception(), SourceChangedError)
    assert publisher.simulator.posts() == []
    assert publisher.read(post).state is PostState.COMMITTING  # only TikTok's word moves it now


def test_a_source_that_is_renamed_and_gets_other_rights_during_the_upload_is_sent_whole(
    publisher: Publisher,
) -> None:
    post = publisher.make_post(three_chunks())
    path = data_folder(publisher.workspace).path(post.media.source_path)
    content = publisher.content(post)
    publisher.simulator.hold(0, "after")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        before_ns = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before_ns:
            path.chmod(0o440)
            path.rename(path.with_suffix(".old")).rename(path)
        publisher.simulator.release()
        assert publisher.simulator.content(upload.result().publish_id) == content


def test_a_source_that_is_unlinked_during_the_upload_is_still_sent_whole(
    publisher: Publisher,
) -> None:
    post = publisher.make_post(three_chunks())
    content = publisher.content(post)
    publisher.simulator.hold(0, "after")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        data_folder(publisher.workspace).path(post.media.source_path).unlink()
    assert publisher.simulator.content(upload.result().publish_id) == content


def test_a_source_that_is_gone_fails_the_post_with_what_to_do(publisher: Publisher) -> None:
    post = publisher.make_post()
    data_folder(publisher.workspace).path(post.media.source_path).unlink()
    with pytest.raises(PostFailedError, match=f"is gone from {post.media.source_path}"):
        publisher.upload(post)
    assert publisher.read(post).fix == "put the file into the inbox again"
    assert publisher.simulator.uploads() == []


def test_a_source_that_is_gone_leaves_a_committing_post_to_tiktok(publisher: Publisher) -> None:
    publisher.simulator.fault("put", status=503, chunk=-1, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    data_folder(publisher.workspace).path(post.media.source_path).unlink()
    with pytest.raises(MediaUnreadableError):
        publisher.upload(post)
    assert publisher.read(post).state is PostState.COMMITTING


def test_a_wrong_fernet_key_is_one_clear_sentence_and_the_post_is_kept(
    publisher: Publisher,
) -> None:
    post = publisher.make_post()
    ledger = publisher.workspace.ledger
    right, ledger.cipher = ledger.cipher, Cipher(Fernet.generate_key().decode())
    with pytest.raises(ConfigurationError, match="REELFLOW_FERNET_KEY is not the key"):
        publisher.upload(post)
    after = publisher.read(post)
    assert (after.state, after.upload_failures) == (PostState.READY, 0)
    assert "REELFLOW_FERNET_KEY is not the key" in after.reason
    assert after.due_at > publisher.clock()
    assert after.rescheduled_because is None  # so that the run fails and a person looks
    ledger.cipher = right
    publisher.upload(post)
    publisher.assert_published_once(post)


def test_a_run_whose_uploads_wait_for_their_next_try_has_no_problem(publisher: Publisher) -> None:
    post = publisher.make_post()
    with publisher.workspace.ledger.write() as session:
        batches.append(session, RUN, [post.id], now=publisher.clock())
    with pytest.raises(TikTokUnreachableError):
        replace(publisher, host="http://127.0.0.1:1").upload(post)
    summary = summarize(publisher.workspace, RUN)
    assert summary.problems == []
    assert "next try at" in summary.lines[0]


def test_a_file_that_was_not_validated_never_reaches_init(publisher: Publisher) -> None:
    post = publisher.make_post(validated=False)
    with pytest.raises(TransientError, match="run `validate`"):
        publisher.upload(post)
    assert publisher.simulator.uploads() == []


def test_a_chunk_that_tiktok_refuses_fails_the_post_and_a_retry_begins_anew(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=400, chunk=1)
    post = publisher.make_post(three_chunks())
    with pytest.raises(PostFailedError):
        publisher.upload(post)
    retry(publisher.workspace, post.id, actor="a person")
    publisher.upload(post)
    assert len(publisher.simulator.uploads()) == 2
    publisher.assert_published_once(post)


def test_a_last_chunk_that_tiktok_refuses_leaves_the_post_to_tiktoks_word(
    publisher: Publisher,
) -> None:
    publisher.simulator.fault("put", status=400, chunk=-1)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokRejectedError):
        publisher.upload(post)
    assert publisher.read(post).state is PostState.COMMITTING
    assert publisher.upload(post).state is PostState.PROCESSING
    publisher.assert_published_once(post)


def test_a_post_whose_last_byte_provably_never_came_is_sent_anew(publisher: Publisher) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.fault("put", status=503, chunk=-1, times=2)
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    expires_at = publisher.current(post).url_expires_at
    assert expires_at is not None
    publisher.clock.set(expires_at)  # TikTok's own clock stands, so it says what it holds
    assert publisher.upload(post).state is PostState.COMMITTING
    slack = timedelta(seconds=publisher.limits.longest_put_s, minutes=5)
    publisher.clock.set(expires_at + slack)
    assert publisher.upload(post).state is PostState.COMMITTING
    publisher.clock.set(expires_at + slack + timedelta(seconds=1))
    assert publisher.upload(post).state is PostState.PROCESSING
    states = [one.state for one in publisher.publications(post)]
    assert states == [PublicationState.SUPERSEDED, PublicationState.SENT]
    publisher.assert_published_once(post)
