import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.chunks import ByteRange, ChunkPlan, plan_chunks
from reelflow.exceptions import (
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok import protocol
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.models import ChunkAnswer, ChunkOutcome, CreatorInfo, PublishStatus, VideoPost

TOKEN = "act.example12345"
PLAN = ChunkPlan(50_000_123, 10_000_000, 5)
CHUNK = ByteRange(10_000_000, 19_999_999, 50_000_123)


def ok(data: dict[str, Any]) -> Answer:
    return Answer(200, {}, json.dumps({"data": data, "error": {"code": "ok"}}).encode())


def test_a_direct_post_declares_the_choices_and_the_cut() -> None:
    post = VideoPost(
        title="Spring 🌱 #garden",
        privacy_level="SELF_ONLY",
        disable_duet=True,
        video_cover_timestamp_ms=0,
        brand_organic_toggle=True,
    )
    request = protocol.prepare_video_init(TOKEN, post, PLAN)
    assert request.path == "/v2/post/publish/video/init/"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(request.body) == {
        "post_info": {
            "title": "Spring 🌱 #garden",
            "privacy_level": "SELF_ONLY",
            "disable_duet": True,
            "disable_stitch": False,
            "disable_comment": False,
            "video_cover_timestamp_ms": 0,
            "brand_content_toggle": False,
            "brand_organic_toggle": True,
            "is_aigc": False,
        },
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": 50_000_123,
            "chunk_size": 10_000_000,
            "total_chunk_count": 5,
        },
    }


def test_an_empty_caption_and_an_unset_cover_are_not_sent() -> None:
    request = protocol.prepare_video_init(TOKEN, VideoPost("", "SELF_ONLY"), PLAN)
    assert not {"title", "video_cover_timestamp_ms"} & json.loads(request.body)["post_info"].keys()


def test_a_draft_declares_the_cut_alone() -> None:
    request = protocol.prepare_draft_init(TOKEN, PLAN)
    assert request.path == "/v2/post/publish/inbox/video/init/"
    assert list(json.loads(request.body)) == ["source_info"]


def test_creator_info_has_no_body_and_status_has_the_publish_id() -> None:
    creator_info = protocol.prepare_creator_info(TOKEN)
    assert (creator_info.path, creator_info.body) == ("/v2/post/publish/creator_info/query/", b"")
    status = protocol.prepare_status(TOKEN, "v_pub_file~v2-1.7")
    assert status.path == "/v2/post/publish/status/fetch/"
    assert json.loads(status.body) == {"publish_id": "v_pub_file~v2-1.7"}


def test_a_prepared_request_does_not_show_the_token() -> None:
    assert TOKEN not in repr(protocol.prepare_creator_info(TOKEN))


@pytest.mark.parametrize("token", ["", "act.a\r\nX-Evil: 1", "act.a b", "act.é", "a" * 4097])
def test_a_token_that_would_split_the_header_is_never_sent_nor_shown(token: str) -> None:
    with pytest.raises(TikTokAuthError, match="reconnect the account") as caught:
        protocol.prepare_creator_info(token)
    assert "act." not in str(caught.value)


def test_creator_info_reads_every_documented_field() -> None:
    data: dict[str, Any] = {
        "creator_avatar_url": "https://cdn.example/a.webp",
        "creator_username": "garden",
        "creator_nickname": "The Garden",
        "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
        "comment_disabled": False,
        "duet_disabled": True,
        "stitch_disabled": True,
        "max_video_post_duration_sec": 3600,
    }
    expected = data | {"privacy_level_options": ("PUBLIC_TO_EVERYONE", "SELF_ONLY")}
    assert protocol.parse_creator_info(ok(data)) == CreatorInfo(**expected)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"privacy_level_options": "SELF_ONLY", "max_video_post_duration_sec": 300},
        {"privacy_level_options": [1], "max_video_post_duration_sec": 300},
        {"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": "300"},
        {"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": True},
    ],
)
def test_options_that_cannot_be_understood_are_no_options(data: dict[str, Any]) -> None:
    with pytest.raises(TikTokUnavailableError, match="cannot be understood"):
        protocol.parse_creator_info(ok(data))


def test_a_creator_who_cannot_post_now_is_told_so_under_status_200() -> None:
    body = b'{"data": {}, "error": {"code": "spam_risk_too_many_posts", "message": ""}}'
    with pytest.raises(TikTokRateLimitedError, match="posts in 24 hours"):
        protocol.parse_creator_info(Answer(200, {}, body))


def test_init_gives_the_task_and_its_url() -> None:
    opened = protocol.parse_init(ok({"publish_id": "v_pub_file~v2-1.7", "upload_url": "https://x"}))
    assert (opened.publish_id, opened.upload_url) == ("v_pub_file~v2-1.7", "https://x")


@pytest.mark.parametrize(
    "data",
    [
        {"publish_id": "v_pub_file~v2-1.7"},
        {"publish_id": "v_pub_file~v2-1.7", "upload_url": ""},
        {"publish_id": 7, "upload_url": "https://x"},
        {"publish_id": "", "upload_url": "https://x"},
        {"publish_id": "a" * 65, "upload_url": "https://x"},
        {"publish_id": "a\n", "upload_url": "https://x"},
    ],
)
def test_an_init_answer_without_id_or_url_opens_nothing(data: dict[str, Any]) -> None:
    with pytest.raises(TikTokUnavailableError, match="cannot be understood"):
        protocol.parse_init(ok(data))


@pytest.mark.parametrize("code", ["invalid_param", "invalid_params"])
def test_both_spellings_of_a_refused_value_show_what_tiktok_says(code: str) -> None:
    error = {"error": {"code": code, "message": "The chunk size is invalid", "log_id": "2026A"}}
    with pytest.raises(TikTokRejectedError, match="The chunk size is invalid") as caught:
        protocol.parse_init(Answer(400, {}, json.dumps(error).encode()))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        ("", ()),
        (', "publicaly_available_post_id": null', ()),
        (', "publicaly_available_post_id": []', ()),
        (', "publicaly_available_post_id": [7678907398077074697]', ("7678907398077074697",)),
        (', "publicaly_available_post_id": 7678907398077074697', ("7678907398077074697",)),
        (
            ', "publicaly_available_post_id": ["7678907398077074697", 5]',
            ("7678907398077074697", "5"),
        ),
        (', "publicaly_available_post_id": [true, -1, 1.5, {}, "../x", "٣"]', ()),
    ],
)
def test_post_ids_keep_all_their_digits_in_every_seen_shape(raw: str, ids: tuple[str, ...]) -> None:
    body = f'{{"data": {{"status": "PUBLISH_COMPLETE"{raw}}}, "error": {{"code": "ok"}}}}'
    assert protocol.parse_status(Answer(200, {}, body.encode())).post_ids == ids


def test_a_status_of_one_field_leaves_the_others_unknown() -> None:
    assert protocol.parse_status(ok({"status": "PROCESSING_UPLOAD"})) == PublishStatus(
        "PROCESSING_UPLOAD", None, (), None, None
    )


def test_a_status_reads_every_documented_field() -> None:
    data = {"status": "FAILED", "fail_reason": "internal", "uploaded_bytes": 0}
    assert protocol.parse_status(ok(data | {"downloaded_bytes": 9})) == PublishStatus(
        "FAILED", "internal", (), 0, 9
    )


def test_a_status_that_is_new_is_passed_on_and_an_absent_one_is_not_understood() -> None:
    assert protocol.parse_status(ok({"status": "REVIEWING"})).status == "REVIEWING"
    with pytest.raises(TikTokUnavailableError, match="status is missing"):
        protocol.parse_status(ok({"uploaded_bytes": 1}))


def test_a_chunk_carries_the_documented_headers_and_no_authorization() -> None:
    headers = protocol.prepare_chunk(CHUNK, "video/mp4")
    assert headers == {
        "Content-Type": "video/mp4",
        "Content-Length": "10000000",
        "Content-Range": "bytes 10000000-19999999/50000123",
        "Accept-Encoding": "identity",
    }


def test_a_chunk_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="video/x-matroska"):
        protocol.prepare_chunk(CHUNK, "video/x-matroska")


@pytest.mark.parametrize("outcome", list(ChunkOutcome))
def test_each_documented_status_of_a_chunk_is_an_outcome(outcome: ChunkOutcome) -> None:
    answer = Answer(outcome.value, {"content-range": "bytes 0-20000000/50000123"})
    expected = ChunkAnswer(outcome, (20_000_000, 20_000_001))
    assert protocol.parse_chunk(answer, CHUNK) == expected


@given(index=st.integers(0, 133))
def test_exactly_one_reading_of_the_progress_lies_on_the_boundary_that_was_reached(
    index: int,
) -> None:
    plan = plan_chunks(4 * 1024**3)
    sent = plan.range_at(index * plan.chunk_size_bytes)
    ends = {byte_range.last + 1 for byte_range in plan.ranges()}
    for number in (sent.last, sent.last + 1):  # as an index, as a count
        header = {"Content-Range": f"bytes 0-{number}/{plan.size_bytes}"}
        held = protocol.parse_chunk(Answer(206, header), sent).held_bytes
        assert [reading for reading in held if reading in ends] == [sent.last + 1]


@pytest.mark.parametrize(
    "value",
    ["", "bytes */50000123", "bytes 0-1/2", "bytes 5-9/50000123", "bytes 0-x/50000123",
     "bytes 0--1/50000123", "bytes 0-99999999/50000123", "bytes 0-٣/50000123"],
)  # fmt: skip
def test_a_progress_header_that_makes_no_sense_proves_nothing(value: str) -> None:
    answer = Answer(416, {"Content-Range": value})
    assert protocol.parse_chunk(answer, CHUNK) == ChunkAnswer(ChunkOutcome.MISMATCH, ())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, TikTokRejectedError),
        (401, TikTokRejectedError),
        (302, TikTokRejectedError),
        (408, TikTokUnavailableError),
        (429, TikTokRateLimitedError),
        (500, TikTokUnavailableError),
        (502, TikTokUnavailableError),
        (200, TikTokUnavailableError),
        (100, TikTokUnavailableError),
    ],
)
def test_every_other_status_of_a_chunk_is_an_error_that_names_it(
    status: int, error: type[ReelflowError]
) -> None:
    with pytest.raises(error, match=f"HTTP {status}") as caught:
        protocol.parse_chunk(Answer(status, {}), CHUNK)
    assert type(caught.value) is error


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 60), ({"Retry-After": "5"}, 5)])
def test_a_chunk_that_came_too_soon_waits_as_long_as_tiktok_says(
    headers: dict[str, str], wait_s: float
) -> None:
    with pytest.raises(TikTokRateLimitedError) as caught:
        protocol.parse_chunk(Answer(429, headers), CHUNK)
    assert caught.value.retry_after_s == wait_s
