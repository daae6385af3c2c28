import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from reelflow.exceptions import ReelflowError, TikTokAuthError, TikTokUnavailableError
from reelflow.tiktok import display
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.display_models import UserInfo, Video, VideoPage
from tests.unit.reelflow.tiktok import hostile_json

TOKEN = "act.example12345"
RAW_VIDEO: dict[str, Any] = {
    "id": "7678907398077074697",
    "create_time": 1_787_900_000,
    "title": "Spring",
    "video_description": "Spring 🌱",
    "share_url": "https://www.tiktok.com/@garden/video/7678907398077074697",
    "cover_image_url": "https://cdn.example/c.jpg",
    "duration": 12,
    "width": 1080,
    "height": 1920,
    "like_count": 1,
    "comment_count": 2,
    "share_count": 3,
    "view_count": 4_000_000_000,
    "is_aigc": True,
}
VIDEO = Video(
    id="7678907398077074697",
    create_time=datetime(2026, 8, 28, 6, 53, 20, tzinfo=UTC),
    title="Spring",
    video_description="Spring 🌱",
    share_url="https://www.tiktok.com/@garden/video/7678907398077074697",
    cover_image_url="https://cdn.example/c.jpg",
    duration_s=12,
    width=1080,
    height=1920,
    like_count=1,
    comment_count=2,
    share_count=3,
    view_count=4_000_000_000,
    is_aigc=True,
)


def ok(data: object) -> Answer:
    return Answer(200, {}, json.dumps({"data": data, "error": {"code": "ok"}}).encode())


def test_the_fields_of_a_profile_are_those_of_the_scopes() -> None:
    basic = ("open_id", "union_id", "avatar_url", "display_name")
    assert display.user_fields({"user.info.basic", "video.publish"}) == basic
    assert display.user_fields([]) == ()
    assert "username" in display.user_fields(["user.info.profile"])


def test_a_profile_is_asked_for_by_get_with_its_fields() -> None:
    request = display.prepare_user_info(TOKEN, ["open_id", "username"])
    assert (request.method, request.path) == ("GET", "/v2/user/info/?fields=open_id,username")
    assert request.body == b""


@pytest.mark.parametrize("fields", [[], ["open_id", "password"], ["open_id&x=y"]])
def test_a_field_that_no_profile_has_is_refused(fields: list[str]) -> None:
    with pytest.raises(ValueError, match="USER_FIELDS"):
        display.prepare_user_info(TOKEN, fields)


def test_a_profile_reads_every_documented_field() -> None:
    user: dict[str, Any] = {
        "open_id": "o-1",
        "union_id": "u-1",
        "avatar_url": "https://cdn.example/a.webp",
        "display_name": "The Garden",
        "bio_description": "Plants.",
        "profile_deep_link": "https://vm.example/x",
        "is_verified": False,
        "username": "garden",
        "follower_count": 1,
        "following_count": 2,
        "likes_count": 3,
        "video_count": 0,
    }
    assert display.parse_user_info(ok({"user": user})) == UserInfo(**user)
    assert display.parse_user_info(ok({"user": {"open_id": "o-1"}})) == UserInfo("o-1")


@pytest.mark.parametrize("data", [{}, {"user": []}, {"user": None}])
def test_a_profile_that_is_no_object_is_not_understood(data: dict[str, Any]) -> None:
    with pytest.raises(TikTokUnavailableError, match="cannot be understood"):
        display.parse_user_info(ok(data))


def test_a_scope_that_was_not_granted_is_told() -> None:
    body = b'{"error": {"code": "scope_permission_missed"}}'
    with pytest.raises(TikTokAuthError, match="reconnect"):
        display.parse_user_info(Answer(400, {}, body))


def test_a_page_of_videos_begins_at_the_cursor() -> None:
    first = display.prepare_video_list(TOKEN)
    assert first.path.startswith("/v2/video/list/?fields=id,create_time,title,")
    assert json.loads(first.body) == {"max_count": 20}
    second = display.prepare_video_list(TOKEN, cursor=1_787_900_000_000, max_count=1)
    assert json.loads(second.body) == {"max_count": 1, "cursor": 1_787_900_000_000}


@pytest.mark.parametrize("max_count", [0, 21])
def test_a_page_has_1_to_20_videos(max_count: int) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        display.prepare_video_list(TOKEN, max_count=max_count)


def test_a_page_of_videos_is_read() -> None:
    data = {"videos": [RAW_VIDEO], "cursor": 1_787_900_000_000, "has_more": True}
    assert display.parse_video_list(ok(data)) == VideoPage((VIDEO,), 1_787_900_000_000, True)
    assert display.parse_video_list(ok({})) == VideoPage((), None, False)


def test_an_id_that_is_a_number_keeps_all_its_digits() -> None:
    videos = [{"id": 7678907398077074697, "create_time": 1}]
    (video,) = display.parse_video_query(ok({"videos": videos}))
    assert video.id == "7678907398077074697"
    assert (video.title, video.like_count, video.is_aigc) == ("", None, False)


@pytest.mark.parametrize(
    "videos",
    [
        {"id": "1"},
        "1",
        [None],
        [{"create_time": 1}],
        [{"id": "1"}],
        [{"id": ["1", "2"], "create_time": 1}],
        [{"id": "../1", "create_time": 1}],
        [{"id": "1", "create_time": -1}],
        [{"id": "1", "create_time": 10**15}],
        [{"id": "1", "create_time": "1"}],
    ],
)
def test_a_video_that_cannot_be_told_from_others_is_not_understood(videos: object) -> None:
    with pytest.raises(TikTokUnavailableError, match="cannot be understood"):
        display.parse_video_list(ok({"videos": videos}))


def test_videos_are_asked_for_by_their_ids() -> None:
    request = display.prepare_video_query(TOKEN, ["7678907398077074697", "5"])
    assert request.path.startswith("/v2/video/query/?fields=id,")
    assert json.loads(request.body) == {"filters": {"video_ids": ["7678907398077074697", "5"]}}
    assert display.parse_video_query(ok({"videos": [RAW_VIDEO]})) == (VIDEO,)


@pytest.mark.parametrize("ids", [[], ["1"] * 21, ["1", "v_pub_file~v2-1.7"], [""]])
def test_ids_that_are_none_are_refused(ids: list[str]) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        display.prepare_video_query(TOKEN, ids)


@given(hostile_json.answers("user", "open_id", "is_verified", "videos", "id", "create_time"))
def test_no_answer_raises_anything_but_our_errors(answer: Answer) -> None:
    for parse in (display.parse_user_info, display.parse_video_list, display.parse_video_query):
        try:
            parse(answer)
        except ReelflowError as error:
            str(error).encode()
