"""Who may publish now: the day's caps, the audit, a creator's ban."""

from typing import Any

import pytest

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import Pull
from tiktok_simulator.state import World

DAY_S = 86_400
PLAN = UploadPlan(3, 3, 1)
PULL = Pull(("https://media.example/a.jpg",), 0)
HIDDEN = {"privacy_level": "SELF_ONLY"}


def refusal(function: Any, *arguments: Any, **options: Any) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        function(*arguments, **options)
    return caught.value.code, caught.value.status


def complete(world: World, publication: Any) -> None:
    chunk = publication.received.open_chunk()
    chunk.write(b"abc")
    world.store_chunk(publication, chunk)


def test_photos_and_videos_share_the_fifteen_posts_of_a_day(world: World) -> None:
    account = world.accounts[0]
    for number in range(15):
        if number % 2:
            world.complete(world.start_direct_post(account, HIDDEN, PULL, "photo"))
        else:
            complete(world, world.start_direct_post(account, HIDDEN, PLAN))

    full = ("spam_risk_too_many_posts", 403)
    assert refusal(world.start_direct_post, account, HIDDEN, PLAN) == full
    assert refusal(world.start_direct_post, account, HIDDEN, PULL, "photo") == full
    assert refusal(world.caps.check_can_post, account, status=200) == (full[0], 200)
    world.start_draft(account, PLAN)
    world.clock.advance(DAY_S)
    world.start_direct_post(account, HIDDEN, PLAN)


def test_photo_drafts_count_among_the_five_pending_ones(world: World) -> None:
    account = world.accounts[0]
    for _ in range(2):
        complete(world, world.start_draft(account, PLAN))
    for _ in range(3):
        world.start_draft(account, PULL, "photo")

    assert refusal(world.start_draft, account, PULL, "photo")[0] == (
        "spam_risk_too_many_pending_share"
    )
    world.switches.pending_share_status = 403
    assert refusal(world.start_draft, account, PLAN)[1] == 403


def test_a_draft_that_its_creator_posted_or_that_failed_is_pending_no_more(world: World) -> None:
    account = world.accounts[0]
    drafts = [world.start_draft(account, PLAN) for _ in range(5)]
    complete(world, drafts[0])
    world.lifecycle.settle(drafts[0])

    world.lifecycle.post_draft(drafts[0], world.new_id(), "SELF_ONLY")
    world.start_draft(account, PLAN)
    world.lifecycle.fail(drafts[1], "internal")
    world.start_draft(account, PLAN)

    assert refusal(world.start_draft, account, PLAN)[0] == "spam_risk_too_many_pending_share"


@pytest.mark.parametrize(
    ("is_private", "level", "is_refused"),
    [
        (True, "SELF_ONLY", False),
        (False, "SELF_ONLY", True),
        (True, "MUTUAL_FOLLOW_FRIENDS", True),
        (False, "PUBLIC_TO_EVERYONE", True),
    ],
)
def test_before_its_audit_an_app_posts_only_privately_to_private_accounts(
    world: World, is_private: bool, level: str, is_refused: bool
) -> None:
    world.app.is_audited = False
    account = world.accounts[0]
    account.is_private = is_private
    post_info = {"privacy_level": level}

    if is_refused:
        answer = refusal(world.start_direct_post, account, post_info, PLAN)
        assert answer == ("unaudited_client_can_only_post_to_private_accounts", 403)
    else:
        world.start_direct_post(account, post_info, PLAN)
    world.start_draft(account, PLAN)


def test_the_creator_after_the_cap_is_refused_and_the_ones_before_go_on(world: World) -> None:
    world.switches.active_user_cap = 2
    first, second, third = world.accounts[:3]
    for account in (first, second, first):
        world.start_direct_post(account, HIDDEN, PLAN)

    assert refusal(world.start_direct_post, third, HIDDEN, PLAN) == ("reached_active_user_cap", 403)
    assert refusal(world.caps.check_can_post, third, status=200)[1] == 200
    world.start_draft(third, PLAN)
    world.clock.advance(DAY_S)
    world.start_direct_post(third, HIDDEN, PLAN)


def test_an_app_before_its_audit_has_five_creators_a_day(world: World) -> None:
    world.app.is_audited = False
    for account in world.accounts:
        account.is_private = True
        world.start_direct_post(account, HIDDEN, PLAN)
    sixth = type(world.accounts[0])("open_id", "sixth", "act.6", is_private=True)

    assert refusal(world.start_direct_post, sixth, HIDDEN, PLAN)[0] == "reached_active_user_cap"


def test_a_banned_creator_can_neither_post_nor_draft(world: World) -> None:
    account = world.accounts[0]
    account.blocked_code = "spam_risk_user_banned_from_posting"

    assert refusal(world.start_direct_post, account, HIDDEN, PLAN)[1] == 403
    assert refusal(world.start_draft, account, PLAN) == (account.blocked_code, 403)
