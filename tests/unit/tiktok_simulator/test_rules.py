"""What the JSON calls accept and refuse, field by field."""

from typing import Any

import pytest

from tiktok_simulator import rules
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import Pull

JSON = "application/json; charset=UTF-8"
OPTIONS = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
SOURCE = {
    "source": "FILE_UPLOAD",
    "video_size": 50_000_123,
    "chunk_size": 10_000_000,
    "total_chunk_count": 5,
}
POST = {"privacy_level": "SELF_ONLY"}


def refusal(function: Any, *arguments: Any) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        function(*arguments)
    return caught.value.code, caught.value.status


def test_a_bearer_token_is_taken_from_the_header() -> None:
    assert rules.bearer_token("Bearer act.1") == "act.1"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "bearer a", "Basic a", "Bearer  a"]
)
def test_a_header_without_a_bearer_token_is_a_401(header: str | None) -> None:
    assert refusal(rules.bearer_token, header) == ("access_token_invalid", 401)


def test_one_of_the_accepted_scopes_is_enough() -> None:
    rules.require_scope(["video.upload"], ["video.publish", "video.upload"])


def test_a_token_without_the_scope_is_a_401() -> None:
    answer = refusal(rules.require_scope, ["video.publish"], ["video.upload"])

    assert answer == ("scope_not_authorized", 401)


@pytest.mark.parametrize(
    "content_type", ["application/json", JSON, 'application/json;charset="utf-8"']
)
def test_a_json_body_is_read_under_each_documented_content_type(content_type: str) -> None:
    assert rules.json_object(content_type, b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, b"{}"),
        ("text/plain", b"{}"),
        ("application/x-www-form-urlencoded", b"a=1"),
        ("application/json; charset=latin-1", b"{}"),
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b"null"),
        (JSON, b'{"a": NaN}'),
        (JSON, b'{"a": "\xff"}'),
        (JSON, b'{"a": "\\ud83d"}'),
        (JSON, b'{"\\udc00": {"a": []}}'),
        (JSON, b"[" * 20_000),
        (JSON, b'{"a": ' + b"9" * 5000 + b"}"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(content_type: str | None, body: bytes) -> None:
    assert refusal(rules.json_object, content_type, body) == ("invalid_params", 400)


def test_creator_info_takes_no_body_and_an_empty_object() -> None:
    rules.check_creator_info(None, b"")
    rules.check_creator_info(JSON, b"{}")


def test_creator_info_refuses_a_field() -> None:
    answer = refusal(rules.check_creator_info, JSON, b'{"open_id": "x"}')

    assert answer == ("invalid_params", 400)


def test_a_status_request_names_its_publish_id() -> None:
    assert rules.parse_publish_id({"publish_id": "v_pub_file~v2-1.1"}) == "v_pub_file~v2-1.1"


@pytest.mark.parametrize(
    "body", [{}, {"publish_id": ""}, {"publish_id": 1}, {"publish_id": "a", "open_id": "b"}]
)
def test_any_other_status_request_is_refused(body: dict[str, Any]) -> None:
    assert refusal(rules.parse_publish_id, body) == ("invalid_params", 400)


def test_a_direct_post_gives_its_fields_and_its_plan() -> None:
    post = {
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "title": "#one @two\n",
        "disable_duet": True,
        "disable_stitch": False,
        "disable_comment": False,
        "video_cover_timestamp_ms": -5,
        "brand_content_toggle": True,
        "brand_organic_toggle": False,
        "is_aigc": True,
    }

    answer = rules.parse_direct_post({"post_info": post, "source_info": SOURCE}, OPTIONS)

    assert answer == (post, UploadPlan(50_000_123, 10_000_000, 5))


@pytest.mark.parametrize(
    "post",
    [
        {"title": 1},
        {"title": None},
        {"disable_duet": 1},
        {"disable_stitch": "true"},
        {"disable_comment": 0},
        {"video_cover_timestamp_ms": 1.5},
        {"video_cover_timestamp_ms": 2**31},
        {"video_cover_timestamp_ms": True},
        {"brand_content_toggle": "no"},
        {"brand_organic_toggle": None},
        {"is_aigc": 1},
        {"privacy_level": 1},
        {"auto_add_music": True},  # a photo's field
        {"caption": "x"},
        {"brand_content_toggle": True},  # branded content cannot be SELF_ONLY
    ],
)
def test_a_post_info_field_of_another_type_or_name_is_refused(post: dict[str, Any]) -> None:
    body = {"post_info": {**POST, **post}, "source_info": SOURCE}

    assert refusal(rules.parse_direct_post, body, OPTIONS) == ("invalid_params", 400)


@pytest.mark.parametrize(
    "source",
    [
        {"source": "URL"},
        {"source": 1},
        {"video_url": "https://example.com/a.mp4"},  # with FILE_UPLOAD
        {"video_size": "50000123"},
        {"video_size": 50_000_123.0},
        {"chunk_size": True},
        {"total_chunk_count": None},
        {"total_chunk_count": 2**63},
        {"file_name": "a.mp4"},
    ],
)
def test_a_source_info_field_of_another_type_or_name_is_refused(source: dict[str, Any]) -> None:
    body = {"post_info": POST, "source_info": {**SOURCE, **source}}

    assert refusal(rules.parse_direct_post, body, OPTIONS) == ("invalid_params", 400)
    assert refusal(rules.parse_draft, {"source_info": body["source_info"]})[0] == "invalid_params"


@pytest.mark.parametrize("missing", list(SOURCE))
def test_every_source_info_field_is_required(missing: str) -> None:
    source = {name: value for name, value in SOURCE.items() if name != missing}

    assert refusal(rules.parse_draft, {"source_info": source}) == ("invalid_params", 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"post_info": POST},
        {"source_info": SOURCE},
        {"post_info": [], "source_info": SOURCE},
        {"post_info": POST, "source_info": "x"},
        {"post_info": POST, "source_info": SOURCE, "post_mode": "DIRECT_POST"},
    ],
)
def test_a_direct_post_needs_exactly_its_two_objects(body: dict[str, Any]) -> None:
    assert refusal(rules.parse_direct_post, body, OPTIONS) == ("invalid_params", 400)


@pytest.mark.parametrize(
    "post", [{}, {"privacy_level": "FOLLOWER_OF_CREATOR"}, {"privacy_level": ""}]
)
def test_a_privacy_level_that_is_not_offered_is_a_403(post: dict[str, Any]) -> None:
    body = {"post_info": post, "source_info": SOURCE}

    assert refusal(rules.parse_direct_post, body, OPTIONS) == ("privacy_level_option_mismatch", 403)


@pytest.mark.parametrize("title", ["a" * 2200, "😀" * 1100, ""])
def test_a_title_of_2200_utf16_units_is_accepted(title: str) -> None:
    body = {"post_info": {**POST, "title": title}, "source_info": SOURCE}

    assert rules.parse_direct_post(body, OPTIONS)[0]["title"] == title


@pytest.mark.parametrize("title", ["a" * 2201, "😀" * 1100 + "a"])
def test_a_title_of_one_utf16_unit_more_is_refused(title: str) -> None:
    body = {"post_info": {**POST, "title": title}, "source_info": SOURCE}

    assert refusal(rules.parse_direct_post, body, OPTIONS) == ("invalid_params", 400)


def test_a_pull_names_its_url_and_nothing_else() -> None:
    url = "https://media.example/a.mp4"
    source = {"source": "PULL_FROM_URL", "video_url": url}

    assert rules.parse_draft({"source_info": source}) == Pull((url,))
    assert rules.parse_direct_post({"post_info": POST, "source_info": source}, OPTIONS)[1] == Pull(
        (url,)
    )
    for bad in ({"source": "PULL_FROM_URL"}, {**SOURCE, **source}, {**source, "video_url": 1}):
        assert refusal(rules.parse_draft, {"source_info": bad})[0] == "invalid_params"


def test_a_draft_ignores_its_post_info_whatever_it_is() -> None:
    plan = rules.parse_draft({"post_info": {"caption": 1}, "source_info": SOURCE})

    assert plan == UploadPlan(50_000_123, 10_000_000, 5)


def test_a_draft_needs_its_source_info() -> None:
    assert refusal(rules.parse_draft, {}) == ("invalid_params", 400)
