"""The creators."""

from tiktok_simulator.accounts import make_accounts


def test_there_are_five_accounts_with_open_ids_that_never_change() -> None:
    first, second = make_accounts(), make_accounts()

    assert [one.open_id for one in first] == [one.open_id for one in second]
    assert len({one.open_id for one in first}) == 5
    assert first[0].username == "aurora.kitchen"


def test_there_may_be_more_or_fewer_creators_and_the_first_stay_who_they_are() -> None:
    five = make_accounts(7)

    assert make_accounts(7, count=2) == five[:2]
    assert make_accounts(7, count=7)[:5] == five
    assert [one.username for one in make_accounts(7, count=7)[5:]] == ["creator.6", "creator.7"]
    assert len({one.open_id for one in make_accounts(count=7)}) == 7


def test_tokens_are_random_unless_a_seed_fixes_them() -> None:
    tokens = {one.access_token for _ in range(2) for one in make_accounts()}

    assert len(tokens) == 10
    assert make_accounts(7) == make_accounts(7)
    assert make_accounts(7) != make_accounts(8)


def test_creator_info_shows_a_public_account() -> None:
    account = make_accounts()[0]

    info = account.creator_info(now_s=1000.9)

    assert info.pop("creator_avatar_url").endswith("x-expires=8200")
    assert info == {
        "creator_username": "aurora.kitchen",
        "creator_nickname": "Aurora Kitchen",
        "privacy_level_options": ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"],
        "comment_disabled": False,
        "duet_disabled": False,
        "stitch_disabled": False,
        "max_video_post_duration_sec": 600,
    }
