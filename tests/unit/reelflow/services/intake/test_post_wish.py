"""What a post through the API may wish, and what it is told of what it may not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.post import PostKind, PostMode, PrivacyLevel
from reelflow.domain.sidecar import PhotoFields, VideoFields
from reelflow.exceptions import TerminalError
from reelflow.services.intake.post_wish import PostWish, editable_fields

LEAST = {"account": "acme", "privacy_level": "SELF_ONLY"}


def told(data: dict[str, Any], media_type: str = "video") -> str:
    with pytest.raises(TerminalError) as refused:
        PostWish.parse(data, media_type)
    assert refused.value.code == "invalid_post"
    return str(refused.value)


def test_a_video_has_the_fields_of_its_sidecar_and_an_account() -> None:
    publish_at = "2026-12-24T18:00:00+01:00"
    more = {"caption": "hi", "cover_timestamp_ms": 5, "disable_duet": True, "repost": True}
    wish = PostWish.parse({**LEAST, **more, "publish_at": publish_at, "approval": True}, "video")
    assert (wish.account, wish.approval, wish.kind) == ("acme", True, PostKind.VIDEO)
    assert wish.fields == VideoFields(
        caption="hi",
        privacy_level=PrivacyLevel.SELF_ONLY,
        publish_at=datetime(2026, 12, 24, 17, tzinfo=UTC),
        cover_timestamp_ms=5,
        disable_duet=True,
        repost=True,
    )


def test_photos_have_theirs() -> None:
    wish = PostWish.parse({**LEAST, "title": "t", "cover_index": 2}, "image")
    assert wish.kind is PostKind.PHOTO
    assert wish.fields == PhotoFields(
        privacy_level=PrivacyLevel.SELF_ONLY, title="t", cover_index=2
    )


def test_nobody_chooses_a_privacy_level_for_the_creator() -> None:
    assert "privacy_level is missing: use one of PUBLIC_TO_EVERYONE" in told({"account": "acme"})
    draft = PostWish.parse({"account": "acme", "mode": "draft"}, "video")
    assert draft.fields.mode is PostMode.DRAFT


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"account": ""}, "account is missing"),
        ({"account": 5}, "account is missing"),
        ({"approval": "yes"}, "approval is 'yes': use true or false"),
        ({"privacy_level": "EVERYBODY"}, "privacy_level is 'EVERYBODY'"),
        ({"publish_at": "2026-12-24T18:00:00"}, "has no time zone"),
        ({"publish_at": 5}, "publish_at is 5"),
        ({"caption": "x" * 2201}, "2201 UTF-16 units, TikTok takes 2200"),
        ({"caption": "\ud800"}, "surrogate"),
        ({"captoin": "hi"}, "unknown field 'captoin' (known: account, approval, caption"),
        ({"title": "t"}, "title does nothing to a video: leave it out"),
        ({"images": ["a.jpg"]}, "the order of the media is that of their ids"),
        ({"brand_content_toggle": True}, "brand_content_toggle needs a visible post"),
    ],
)
def test_what_cannot_be_is_named_with_its_value_and_what_to_do(
    more: dict[str, Any], expected: str
) -> None:
    assert expected in told({**LEAST, **more})


def test_everything_that_is_wrong_with_a_name_or_a_value_is_told_at_once() -> None:
    message = told({"approval": 1, "captoin": "", "privacy_level": "SELF_ONLY"})
    assert all(name in message for name in ("account", "approval", "captoin"))


def test_a_cover_of_a_video_does_nothing_to_photos() -> None:
    message = told({**LEAST, "cover_timestamp_ms": 5}, "image")
    assert "cover_timestamp_ms does nothing to a photo" in message


def test_a_type_of_media_that_there_is_not_is_refused() -> None:
    assert "media_type is 'audio': use video or image" in told(LEAST, "audio")


def test_what_follows_from_the_bytes_is_not_edited() -> None:
    assert "repost" not in editable_fields(PostKind.VIDEO)
    assert "images" not in editable_fields(PostKind.PHOTO)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
names = st.sampled_from([*VideoFields.model_fields, *PhotoFields.model_fields, "account"])


@given(
    data=st.dictionaries(names | st.text(max_size=5), json_values),
    media_type=st.sampled_from(["video", "image"]),
)
def test_any_json_is_a_wish_or_refused_as_none(data: dict[str, Any], media_type: str) -> None:
    refusal: TerminalError | None = None
    try:
        PostWish.parse(data, media_type)
    except TerminalError as exc:
        refusal = exc
    assert refusal is None or refusal.code == "invalid_post"
