"""What is in the way of a direct post, by what its creator may post right now."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reelflow.ledger.models import Account, Post
from reelflow.services.publishing.preflight import find_obstacle
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo
from tests import factories
from tests.photo_files import make_photo_post

MakePost = Callable[..., Post]
CREATOR = CreatorInfo(
    creator_avatar_url="",
    creator_username="acme",
    creator_nickname="Acme",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "SELF_ONLY"),
    comment_disabled=False,
    duet_disabled=False,
    stitch_disabled=False,
    max_video_post_duration_sec=60,
)


@pytest.mark.parametrize("level", ["PUBLIC_TO_EVERYONE", "SELF_ONLY"])
def test_an_offered_level_and_a_short_video_may_go(
    account: Account, make_post: MakePost, level: str
) -> None:
    assert find_obstacle(make_post(account, privacy_level=level), CREATOR) is None


@pytest.mark.parametrize("options", [("PUBLIC_TO_EVERYONE",), ()])
def test_a_level_that_is_no_longer_offered_is_for_a_person_to_change(
    account: Account, make_post: MakePost, options: tuple[str, ...]
) -> None:
    post = make_post(account, privacy_level="SELF_ONLY")
    found = find_obstacle(post, replace(CREATOR, privacy_level_options=options))
    assert found is not None
    assert found.code == "privacy_not_offered"
    assert f"SELF_ONLY now (offered: {', '.join(options) or 'none'})" in found.why
    assert f"reelflow posts release {post.id} --privacy" in found.fix


@pytest.mark.parametrize(("duration_s", "code"), [(60.0, None), (60.1, "longer_than_creator_may")])
def test_a_video_may_be_as_long_as_the_creator_may_post(
    workspace: object, account: Account, make_post: MakePost, duration_s: float, code: str | None
) -> None:
    post = make_post(account, facts={"duration_s": duration_s})
    found = find_obstacle(post, CREATOR)
    assert (found and found.code) == code


def test_branded_content_is_not_posted_privately_whoever_chose_the_level(
    account: Account, make_post: MakePost
) -> None:
    post = make_post(account, privacy_level="SELF_ONLY", brand_content_toggle=True)
    found = find_obstacle(post, CREATOR)
    assert found is not None
    assert found.code == "private_branded_content"
    public = make_post(account, privacy_level="PUBLIC_TO_EVERYONE", brand_content_toggle=True)
    assert find_obstacle(public, CREATOR) is None


@pytest.mark.parametrize("make", [factories.make_post, make_photo_post])
@pytest.mark.parametrize(
    ("wanted", "off", "code"),
    [
        ("comment", "comment", "interaction_off"),
        ("duet,comment", "comment", "interaction_off"),
        ("comment", "duet", None),
        (None, "comment", None),
    ],
)
def test_what_a_post_asks_to_allow_is_not_taken_away_silently(
    workspace: Workspace,
    account: Account,
    make: Callable[..., Post],
    wanted: str | None,
    off: str,
    code: str | None,
) -> None:
    post = make(workspace, account, wanted_interactions=wanted)
    found = find_obstacle(post, replace(CREATOR, **{f"{off}_disabled": True}))
    assert (found and found.code) == code
    if found is not None:
        assert f"reelflow posts release {post.id} --disable-{off}" in found.fix


@pytest.mark.parametrize(
    ("make", "code"), [(factories.make_post, "interaction_off"), (make_photo_post, None)]
)
@pytest.mark.parametrize("name", ["duet", "stitch"])
def test_duets_and_stitches_are_of_videos_only(
    workspace: Workspace,
    account: Account,
    make: Callable[..., Post],
    name: str,
    code: str | None,
) -> None:
    post = make(workspace, account, wanted_interactions=name)
    found = find_obstacle(post, replace(CREATOR, **{f"{name}_disabled": True}))
    assert (found and found.code) == code


def test_what_only_videos_have_is_nothing_to_photos(workspace: Workspace, account: Account) -> None:
    creator = replace(
        CREATOR, duet_disabled=True, stitch_disabled=True, max_video_post_duration_sec=0
    )
    assert find_obstacle(make_photo_post(workspace, account), creator) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"title": "x" * 91}, "its title has 91 UTF-16 units, TikTok takes 90"),
        ({"caption": "\N{CLAPPER BOARD}" * 2001}, "its caption has 4002 UTF-16 units"),
        ({"title": "x" * 90, "caption": "x" * 4000}, None),
    ],
)
def test_texts_that_are_too_long_are_told_before_tiktok_refuses_them(
    workspace: Workspace, account: Account, fields: dict[str, str], told: str | None
) -> None:
    found = find_obstacle(make_photo_post(workspace, account, **fields), CREATOR)
    assert told in found.why if found and told else found is None is told


def test_a_videos_caption_is_measured_by_its_own_limit(
    account: Account, make_post: MakePost
) -> None:
    found = find_obstacle(make_post(account, caption="x" * 2201), CREATOR)
    assert found is not None
    assert found.code == "text_too_long"
