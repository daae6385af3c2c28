"""The Display API's rules: fields, scopes, pages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_simulator import display
from tiktok_simulator.accounts import make_accounts
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import Publication
from tiktok_simulator.received import ReceivedBytes

SECOND = 1_795_000_000
ACCOUNT = make_accounts(seed=1)[0]


def publication(second: int = SECOND, low: int = 7, **changes: Any) -> Publication:
    values: dict[str, Any] = {
        "publish_id": f"v_pub_file~v2-1.{second}{low}",
        "upload_id": "1",
        "upload_token": "t",
        "open_id": ACCOUNT.open_id,
        "kind": "direct",
        "post_info": {"title": "a" * 151, "privacy_level": "PUBLIC_TO_EVERYONE"},
        "plan": UploadPlan(1, 1, 1),
        "expires_at": second + 3600,
        "received": ReceivedBytes(None),
        "stage": "published",
        "post_ids": [(second << 32) + low],
        "privacy_level": "PUBLIC_TO_EVERYONE",
        **changes,
    }
    return Publication(**values)


def videos(*publications: Publication) -> list[display.Video]:
    return display.public_videos(ACCOUNT, publications)


def refused(function: Any, *arguments: Any) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        function(*arguments)
    return caught.value.code, caught.value.status


@pytest.mark.parametrize(
    "changes",
    [
        {"open_id": "somebody else"},
        {"stage": "processing"},
        {"stage": "failed"},
        {"privacy_level": "SELF_ONLY"},
        {"deleted_at": 1.0},
        {"media": "photo"},
        {"post_ids": []},
    ],
)
def test_only_a_creators_own_public_videos_are_shown(changes: dict[str, Any]) -> None:
    assert len(videos(publication())) == 1
    assert videos(publication(**changes)) == []


def test_a_draft_that_was_posted_twice_is_two_videos() -> None:
    first, second = (SECOND << 32) + 1, (SECOND + 60 << 32) + 1

    shown = videos(publication(kind="draft", post_ids=[first, second]))

    assert [one.post_id for one in shown] == [first, second]


@given(
    seconds=st.lists(st.integers(SECOND, SECOND + 3), max_size=60),
    max_count=st.integers(1, 20),
)
def test_pages_show_every_video_once_newest_first(seconds: list[int], max_count: int) -> None:
    shown = videos(*(publication(one, low) for low, one in enumerate(seconds)))
    seen: list[display.Video] = []
    body: dict[str, Any] = {"max_count": max_count}
    while True:
        page, position = display.list_videos(body, shown)
        assert len(page) <= max_count
        seen += page
        assert len(seen) <= len(shown), "a video was shown twice"
        if not position["has_more"]:
            break
        body["cursor"] = position["cursor"]

    assert seen == list(reversed(shown))
    assert [one.create_time for one in shown] == sorted(seconds)


def test_a_cursor_is_in_milliseconds() -> None:
    shown = videos(publication(SECOND), publication(SECOND + 5))

    page, position = display.list_videos({"cursor": (SECOND + 5) * 1000}, shown)

    assert [one.create_time for one in page] == [SECOND]
    assert position == {"cursor": SECOND * 1000, "has_more": False}


@pytest.mark.parametrize(
    "body",
    [
        {"max_count": 0},
        {"max_count": 21},
        {"max_count": "5"},
        {"max_count": True},
        {"cursor": -1},
        {"cursor": "1"},
        {"cursor": 2**63},
        {"page": 1},
    ],
)
def test_a_list_request_that_means_nothing_is_refused(body: dict[str, Any]) -> None:
    assert refused(display.list_videos, body, []) == ("invalid_params", 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filters": []},
        {"filters": {}},
        {"filters": {"video_ids": []}},
        {"filters": {"video_ids": ["1"] * 21}},
        {"filters": {"video_ids": [1]}},
        {"filters": {"video_ids": "1"}},
        {"filters": {"video_ids": ["1"], "x": 1}},
        {"filters": {"video_ids": ["1"]}, "x": 1},
    ],
)
def test_a_query_that_means_nothing_is_refused(body: dict[str, Any]) -> None:
    assert refused(display.query_videos, body, []) == ("invalid_params", 400)


def test_ids_that_are_not_the_creators_are_simply_absent() -> None:
    shown = videos(publication(low=7), publication(low=9))
    wanted = str(shown[1].post_id)

    found = display.query_videos({"filters": {"video_ids": [wanted, "7" * 19]}}, shown)

    assert [str(one.post_id) for one in found] == [wanted]


def test_a_video_has_the_documented_fields_and_a_string_id() -> None:
    (video,) = videos(publication(post_info={"title": "a" * 151, "is_aigc": True}))

    shown = display.video_object(video, ACCOUNT, display.VIDEO_FIELDS, SECOND + 7200)

    assert tuple(shown) == display.VIDEO_FIELDS
    assert shown["id"] == str(video.post_id)
    assert shown["create_time"] == SECOND
    assert shown["title"] == shown["video_description"] == "a" * 150
    assert shown["share_url"].endswith(f"/@aurora.kitchen/video/{video.post_id}")
    assert shown["is_aigc"] is True
    assert shown["cover_image_url"].endswith(f"x-expires={SECOND + 7200 + 6 * 3600}")
    counts = {name: shown[name] for name in shown if name.endswith("_count")}
    assert counts == {"view_count": 360, "like_count": 30, "comment_count": 2, "share_count": 1}


@pytest.mark.parametrize("text", [None, "", "id,", "id,secret", "id, title"])
def test_fields_are_required_and_known(text: str | None) -> None:
    assert refused(display.parse_fields, text, display.VIDEO_FIELDS) == ("invalid_params", 400)
    assert display.parse_fields("id,title", display.VIDEO_FIELDS) == ["id", "title"]


def test_a_user_has_the_documented_fields() -> None:
    shown = videos(publication())

    user = display.user_object(ACCOUNT, display.USER_FIELDS, shown, SECOND + 7200)

    assert set(user) == set(display.USER_FIELDS)
    assert user["display_name"] == "Aurora Kitchen"
    assert user["username"] == "aurora.kitchen"
    assert user["union_id"] != user["open_id"] == ACCOUNT.open_id
    assert (user["video_count"], user["likes_count"]) == (1, 30)


@pytest.mark.parametrize(
    ("field", "scope"),
    [
        ("open_id", "user.info.basic"),
        ("username", "user.info.profile"),
        ("video_count", "user.info.stats"),
    ],
)
def test_each_field_needs_its_scope(field: str, scope: str) -> None:
    account = make_accounts(seed=1)[0]
    account.scopes = tuple(one for one in account.scopes if one != scope)

    assert refused(display.user_object, account, [field], [], 0.0) == (
        "scope_permission_missed",
        400,
    )
    account.scopes = (scope,)
    assert list(display.user_object(account, [field], [], 0.0)) == [field]
