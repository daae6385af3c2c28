"""What the init call of a photo post accepts and refuses, field by field."""

from typing import Any

import pytest

from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.photo_rules import parse_photo_post
from tiktok_simulator.publication import Pull

OPTIONS = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
URLS = ["https://media.example/1.jpg", "https://media.example/2.webp"]


def body(**changes: Any) -> dict[str, Any]:
    """A direct post; a field that is None is left out."""
    fields: dict[str, Any] = {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {"privacy_level": "SELF_ONLY"},
        "source_info": source(),
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def source(**changes: Any) -> dict[str, Any]:
    fields = {"source": "PULL_FROM_URL", "photo_images": URLS, "photo_cover_index": 1, **changes}
    return {name: value for name, value in fields.items() if value is not None}


def refusal(fields: dict[str, Any]) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        parse_photo_post(fields, OPTIONS)
    return caught.value.code, caught.value.status


def test_a_direct_post_gives_its_fields_and_what_to_pull() -> None:
    post_info = {
        "title": "Rome",
        "description": "#rome in 2 pictures",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "auto_add_music": False,
        "brand_content_toggle": False,
        "brand_organic_toggle": True,
    }

    post = parse_photo_post(body(post_info=post_info, is_aigc=True), OPTIONS)

    assert (post.kind, post.scope) == ("direct", "video.publish")
    assert post.post_info == {**post_info, "is_aigc": True}
    assert post.pull == Pull(tuple(URLS), 1)


def test_a_draft_needs_no_privacy_and_another_scope() -> None:
    post = parse_photo_post(body(post_mode="MEDIA_UPLOAD", post_info=None), OPTIONS)

    assert (post.kind, post.scope, post.post_info) == ("draft", "video.upload", {})


@pytest.mark.parametrize(
    "changes",
    [
        {"media_type": None},
        {"media_type": "VIDEO"},
        {"post_mode": None},
        {"post_mode": "direct_post"},
        {"post_mode": ["DIRECT_POST"]},
        {"post_info": []},
        {"source_info": None},
        {"source_info": "x"},
        {"is_aigc": 1},
        {"auto_add_music": True},
        {"post_info": {"privacy_level": "SELF_ONLY", "disable_duet": True}},  # a video's
        {"post_info": {"privacy_level": "SELF_ONLY", "is_aigc": True}},  # belongs to the top
        {"post_info": {"privacy_level": "SELF_ONLY", "title": 1}},
        {"post_info": {"privacy_level": "SELF_ONLY", "auto_add_music": "yes"}},
        {"post_info": {"privacy_level": "SELF_ONLY", "brand_content_toggle": True}},
    ],
)
def test_a_field_of_another_type_or_name_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(body(**changes)) == ("invalid_params", 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": None},
        {"source": "FILE_UPLOAD"},
        {"photo_images": None},
        {"photo_images": []},
        {"photo_images": URLS * 18},
        {"photo_images": [1]},
        {"photo_images": URLS[0]},
        {"photo_cover_index": None},
        {"photo_cover_index": -1},
        {"photo_cover_index": 2},
        {"photo_cover_index": True},
        {"photo_cover_index": "0"},
        {"video_url": URLS[0]},
    ],
)
def test_a_source_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(body(source_info=source(**changes))) == ("invalid_params", 400)


def test_1_to_35_images_are_accepted() -> None:
    for urls in (URLS[:1], [*URLS * 17, URLS[0]]):
        images = source(photo_images=urls, photo_cover_index=len(urls) - 1)

        assert parse_photo_post(body(source_info=images), OPTIONS).pull.urls == tuple(urls)


@pytest.mark.parametrize("post_info", [{}, {"privacy_level": "FOLLOWER_OF_CREATOR"}])
def test_a_privacy_level_that_is_missing_or_not_offered_is_a_403(post_info: Any) -> None:
    assert refusal(body(post_info=post_info)) == ("privacy_level_option_mismatch", 403)


@pytest.mark.parametrize(("name", "most"), [("title", 90), ("description", 4000)])
def test_texts_are_counted_in_utf16_units(name: str, most: int) -> None:
    def with_text(text: str) -> dict[str, Any]:
        return body(post_info={"privacy_level": "SELF_ONLY", name: text})

    parse_photo_post(with_text("😀" * (most // 2)), OPTIONS)

    assert refusal(with_text("😀" * (most // 2) + "a")) == ("invalid_params", 400)
