"""The world: ids, caps, expiry, completion, reset."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiktok_simulator.accounts import make_accounts
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.clock import Clock
from tiktok_simulator.exceptions import ApiError, UploadError
from tiktok_simulator.lifecycle import ArmedFailure
from tiktok_simulator.publication import Publication
from tiktok_simulator.state import World

HOUR_S, DAY_S = 3600, 86_400
PLAN = UploadPlan(6, 3, 2)
PUBLIC = {"privacy_level": "PUBLIC_TO_EVERYONE"}


def send(world: World, publication: Publication, data: bytes) -> None:
    chunk = publication.received.open_chunk()
    chunk.write(data)
    world.store_chunk(publication, chunk)


def post(world: World, data: bytes = b"abcdef") -> Publication:
    publication = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    send(world, publication, data[:3])
    send(world, publication, data[3:])
    return publication


def refused(error: type[Any], function: Any, *arguments: Any) -> Any:
    with pytest.raises(error) as caught:
        function(*arguments)
    return caught.value


@given(second=st.integers(2**29, 2**31 - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_id_is_time_ordered_and_no_float64_holds_it(second: int) -> None:
    world = World(make_accounts(), "http://upload.test", clock=Clock(lambda: second))

    number = world.new_id()

    assert number >> 32 == second
    assert len(str(number)) == 19
    assert int(float(number)) != number


def test_identifiers_have_the_shapes_of_production(world: World) -> None:
    direct = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    draft = world.start_draft(world.accounts[0], PLAN)

    assert direct.publish_id.startswith("v_pub_file~v2-1.")
    assert draft.publish_id.startswith("v_inbox_file~v2.")
    assert len(direct.publish_id) <= 64
    assert direct.upload_path.startswith(f"/upload?upload_id={direct.upload_id}&upload_token=")
    assert direct.upload_id.isdecimal()
    assert len(direct.upload_id) == 19


def test_a_token_opens_its_own_account_only(world: World) -> None:
    assert world.authenticate(world.accounts[1].access_token) is world.accounts[1]
    assert refused(ApiError, world.authenticate, "act.ünknown").code == "access_token_invalid"


def test_a_publication_belongs_to_its_creator(world: World) -> None:
    mine = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)

    stranger = refused(ApiError, world.find_publication, world.accounts[1], mine.publish_id)
    unknown = refused(ApiError, world.find_publication, world.accounts[0], "v_pub_file~v2-1.1")

    assert world.find_publication(world.accounts[0], mine.publish_id) is mine
    assert stranger.code == "token_not_authorized_for_specified_publish_id"
    assert unknown.code == "invalid_publish_id"
    assert (stranger.status, unknown.status) == (400, 400)


def test_fifteen_posts_in_a_day_are_the_most(world: World) -> None:
    for _ in range(15):
        post(world)

    error = refused(ApiError, world.start_direct_post, world.accounts[0], PUBLIC, PLAN)

    assert (error.code, error.status) == ("spam_risk_too_many_posts", 403)
    world.start_direct_post(world.accounts[1], PUBLIC, PLAN)
    world.clock.advance(DAY_S)
    post(world)


def test_an_init_without_bytes_uses_up_no_post(world: World) -> None:
    for _ in range(40):
        world.start_direct_post(world.accounts[0], PUBLIC, PLAN)


def test_a_post_beyond_the_cap_whose_init_came_early_fails(world: World) -> None:
    early = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    for _ in range(15):
        post(world)

    send(world, early, b"abc")
    send(world, early, b"def")

    assert (early.fail_reason, early.post_id) == ("spam_risk_too_many_posts", None)


def test_five_drafts_may_be_pending(world: World) -> None:
    account = world.accounts[0]
    for _ in range(5):
        draft = world.start_draft(account, UploadPlan(3, 3, 1))
        send(world, draft, b"abc")

    error = refused(ApiError, world.start_draft, account, PLAN)

    assert (error.code, error.status) == ("spam_risk_too_many_pending_share", 400)
    world.clock.advance(DAY_S)
    world.start_draft(account, PLAN)


def test_a_draft_whose_url_expired_without_its_bytes_is_pending_no_more(world: World) -> None:
    for _ in range(5):
        world.start_draft(world.accounts[0], PLAN)
    assert refused(ApiError, world.start_draft, world.accounts[0], PLAN).status == 400

    world.clock.advance(HOUR_S)

    world.start_draft(world.accounts[0], PLAN)


def test_an_upload_url_lives_one_hour(world: World) -> None:
    one = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    world.clock.advance(HOUR_S - 1)
    world.check_accepts_bytes(one)

    world.clock.advance(1)

    assert refused(UploadError, world.check_accepts_bytes, one).status == 403
    assert world.poll(one) == {"status": "FAILED", "fail_reason": "internal"}


def test_an_upload_url_needs_its_own_token_and_ends_with_the_last_byte(world: World) -> None:
    one = post(world)
    other = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)

    assert refused(UploadError, world.check_accepts_bytes, one).status == 404
    assert refused(UploadError, world.find_upload, other.upload_id, one.upload_token).status == 404
    world.clock.advance(HOUR_S)
    assert refused(UploadError, world.check_accepts_bytes, one).status == 404


def test_a_put_under_way_may_finish_after_the_hour_unless_failure_was_told(world: World) -> None:
    quick, slow = (world.start_direct_post(world.accounts[0], PUBLIC, PLAN) for _ in range(2))
    world.clock.advance(HOUR_S)

    send(world, quick, b"abc")
    world.find_publication(world.accounts[0], slow.publish_id)

    assert quick.received.size_bytes == 3
    assert refused(UploadError, send, world, slow, b"abc").status == 403


def test_the_next_upload_fails_with_the_armed_reason_and_only_that_one(world: World) -> None:
    world.lifecycle.failures.append(ArmedFailure("frame_rate_check_failed"))

    first, second = post(world), post(world)

    assert (first.fail_reason, second.fail_reason) == ("frame_rate_check_failed", None)
    assert (first.post_id, second.post_id is None) == (None, False)


def test_polls_count_only_after_the_last_byte(world: World) -> None:
    one = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    send(world, one, b"abc")
    for _ in range(5):
        assert world.poll(one) == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 3}

    send(world, one, b"def")

    assert world.poll(one) == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 6}
    assert world.poll(one) == {"status": "PUBLISH_COMPLETE"}
    assert world.poll(one)["publicaly_available_post_id"] == [one.post_id]


def test_reset_forgets_everything_but_the_accounts(world: World, tmp_path: Path) -> None:
    accounts, now = list(world.accounts), world.clock.now()
    running = post(world)
    late = world.start_direct_post(world.accounts[0], PUBLIC, PLAN)
    late_chunk = late.received.open_chunk()
    world.clock.advance(5)
    world.lifecycle.failures.append(ArmedFailure("internal"))

    world.reset()

    assert list(tmp_path.iterdir()) == []
    assert world.accounts == accounts
    assert world.clock.now() == now
    assert refused(UploadError, world.store_chunk, late, late_chunk).status == 404
    assert refused(UploadError, world.find_upload, running.upload_id, running.upload_token)
    assert post(world).fail_reason is None
