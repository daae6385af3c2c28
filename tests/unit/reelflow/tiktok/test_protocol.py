import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from reelflow.domain.chunks import ChunkPlan
from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.tiktok import protocol
from reelflow.tiktok.answers import Answer
from reelflow.tiktok.models import (
    CreatorInfo,
    InitAnswer,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)
from tests.unit.reelflow.tiktok import hostile_json

TOKEN = "act.example12345"
PLAN = ChunkPlan(50_000_123, 10_000_000, 5)


def ok(data: dict[str, Any]) -> Answer:
    return Answer(200, {}, json.dumps({"data": data, "error": {"code": "ok"}}).encode())


def parse_upload(data: dict[str, Any]) -> InitAnswer:
    return protocol.parse_init(ok(data), is_upload=True)


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


PULL = PullFromUrl("https://media.example/public/clip.mp4?signature=s3cret")


def test_a_pulled_video_names_its_url_instead_of_a_cut_and_never_shows_it() -> None:
    direct = protocol.prepare_video_init(TOKEN, VideoPost("", "SELF_ONLY"), PULL)
    draft = protocol.prepare_draft_init(TOKEN, PULL)
    expected = {"source": "PULL_FROM_URL", "video_url": PULL.video_url}
    assert json.loads(direct.body)["source_info"] == expected
    assert json.loads(draft.body) == {"source_info": expected}
    assert "s3cret" not in f"{PULL!r} {direct!r} {draft!r}"


@pytest.mark.parametrize(
    "url",
    ["http://media.example/a.mp4", "ftp://media.example/a", "https://u:p@media.example/a", ""],
)
def test_a_url_that_tiktok_would_not_fetch_is_refused_before_the_call(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        protocol.prepare_draft_init(TOKEN, PullFromUrl(url))


def test_a_cancel_names_the_task_and_needs_no_data() -> None:
    request = protocol.prepare_cancel(TOKEN, "v_pub_url~v2.7")
    assert request.path == "/v2/post/publish/cancel/"
    assert json.loads(request.body) == {"publish_id": "v_pub_url~v2.7"}
    protocol.parse_cancel(Answer(200, {}, b'{"error": {"code": "ok", "message": ""}}'))


def test_a_task_that_is_final_is_not_cancelled() -> None:
    body = b'{"error": {"code": "publish_not_cancellable"}}'
    with pytest.raises(TikTokRejectedError, match="already final"):
        protocol.parse_cancel(Answer(400, {}, body))
    with pytest.raises(TikTokUnavailableError):
        protocol.parse_cancel(Answer(200, {}, b""))


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


def test_a_pull_has_no_upload_url_whatever_the_answer_says() -> None:
    for extra in ({}, {"upload_url": "https://x"}):
        opened = protocol.parse_init(ok({"publish_id": "v_pub_url~v2.7"} | extra), is_upload=False)
        assert (opened.publish_id, opened.upload_url) == ("v_pub_url~v2.7", None)


def test_init_gives_the_task_and_its_url() -> None:
    opened = parse_upload({"publish_id": "v_pub_file~v2-1.7", "upload_url": "https://x"})
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
        parse_upload(data)


@pytest.mark.parametrize("code", ["invalid_param", "invalid_params"])
def test_both_spellings_of_a_refused_value_show_what_tiktok_says(code: str) -> None:
    error = {"error": {"code": code, "message": "The chunk size is invalid", "log_id": "2026A"}}
    with pytest.raises(TikTokRejectedError, match="The chunk size is invalid") as caught:
        protocol.parse_init(Answer(400, {}, json.dumps(error).encode()), is_upload=True)
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


FIELDS = (
    "publish_id", "upload_url", "status", "fail_reason", "publicaly_available_post_id",
    "privacy_level_options", "max_video_post_duration_sec", "uploaded_bytes",
)  # fmt: skip


@given(hostile_json.answers(*FIELDS))
def test_no_answer_raises_anything_but_our_errors(answer: Answer) -> None:
    parsers: list[Callable[[Answer], object]] = [
        protocol.parse_creator_info,
        protocol.parse_status,
        protocol.parse_cancel,
        lambda hostile: protocol.parse_init(hostile, is_upload=True),
        lambda hostile: protocol.parse_init(hostile, is_upload=False),
    ]
    for parse in parsers:
        try:
            repr(parse(answer)).encode()
        except ReelflowError as error:
            str(error).encode()
