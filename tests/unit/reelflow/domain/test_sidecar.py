"""What a sidecar may say, and how its mistakes are named."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.post import PostMode, PrivacyLevel
from reelflow.domain.sidecar import (
    CAPTION_MAX_UTF16_UNITS,
    SIDECAR_MAX_BYTES,
    PhotoFields,
    VideoFields,
    parse_sidecar,
    utf16_units,
)
from reelflow.exceptions import SidecarError

CLAPPER = "\N{CLAPPER BOARD}"  # one character, two UTF-16 units


def parse(**fields: Any) -> VideoFields:
    return parse_sidecar(json.dumps(fields).encode(), VideoFields)


def refusal(data: bytes) -> str:
    with pytest.raises(SidecarError) as refused:
        parse_sidecar(data, VideoFields)
    return str(refused.value)


def refusal_of(**fields: Any) -> str:
    return refusal(json.dumps(fields).encode())


def test_an_empty_sidecar_wishes_for_a_direct_post_now_and_chooses_no_privacy() -> None:
    fields = parse()
    assert fields == VideoFields()
    assert fields.privacy_level is None
    assert fields.publish_at is None
    assert fields.mode is PostMode.DIRECT
    assert not fields.repost


def test_every_field_is_read() -> None:
    fields = parse(
        caption="Hi",
        privacy_level="PUBLIC_TO_EVERYONE",
        publish_at="2026-12-24T18:00:00+02:00",
        disable_comment=True,
        disable_duet=True,
        disable_stitch=True,
        brand_content_toggle=True,
        brand_organic_toggle=True,
        is_aigc=True,
        cover_timestamp_ms=1500,
        mode="draft",
        repost=True,
        approval=True,
    )
    assert fields.model_dump() == {
        "caption": "Hi",
        "privacy_level": PrivacyLevel.PUBLIC_TO_EVERYONE,
        "publish_at": datetime(2026, 12, 24, 16, tzinfo=UTC),
        "disable_comment": True,
        "disable_duet": True,
        "disable_stitch": True,
        "brand_content_toggle": True,
        "brand_organic_toggle": True,
        "is_aigc": True,
        "cover_timestamp_ms": 1500,
        "mode": PostMode.DRAFT,
        "repost": True,
        "approval": True,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caption", 5),
        ("caption", None),
        ("caption", ["a"]),
        ("privacy_level", "public"),
        ("privacy_level", ""),
        ("publish_at", 1790000000),
        ("publish_at", "tomorrow"),
        ("publish_at", "2026-12-24"),
        ("publish_at", "2026-13-01T00:00:00Z"),
        ("disable_comment", "true"),
        ("disable_duet", 1),
        ("disable_stitch", None),
        ("brand_content_toggle", "yes"),
        ("brand_organic_toggle", 0),
        ("is_aigc", []),
        ("cover_timestamp_ms", -1),
        ("cover_timestamp_ms", 1.5),
        ("cover_timestamp_ms", True),
        ("cover_timestamp_ms", "1000"),
        ("cover_timestamp_ms", 2**31),
        ("mode", "live"),
        ("repost", "no"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(field: str, value: Any) -> None:
    said = refusal_of(**{field: value})
    assert said.startswith(f"the sidecar cannot be used: {field} is ")
    assert repr(value) in said


def test_all_mistakes_are_named_at_once() -> None:
    said = refusal_of(mode="live", repost="no", privacy="SELF_ONLY")
    assert "mode is 'live'" in said
    assert "repost is 'no'" in said
    assert "unknown field 'privacy' (known: caption, privacy_level, " in said


@pytest.mark.parametrize("publish_at", ["2026-12-24T18:00:00", "2026-12-24 18:00"])
def test_a_time_without_a_zone_is_refused(publish_at: str) -> None:
    said = refusal_of(publish_at=publish_at)
    assert f"publish_at '{publish_at}' has no time zone: add Z or +02:00" in said


@pytest.mark.parametrize("publish_at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_year_that_has_no_utc_time_or_no_sense_is_refused(publish_at: str) -> None:
    assert "years from 2000 to 2099 are taken" in refusal_of(publish_at=publish_at)


@pytest.mark.parametrize(
    "caption", ["a" * 2200, CLAPPER * 1100, CLAPPER * 1099 + "ab", "\n" * 2200]
)
def test_a_caption_of_2200_utf16_units_is_taken(caption: str) -> None:
    assert utf16_units(parse(caption=caption).caption) == CAPTION_MAX_UTF16_UNITS


@pytest.mark.parametrize("caption", ["a" * 2201, CLAPPER * 1100 + "a"])
def test_a_caption_of_2201_utf16_units_is_refused(caption: str) -> None:
    said = refusal_of(caption=caption)
    assert "caption has 2201 UTF-16 units, TikTok takes 2200: shorten it by 1" in said


@given(st.text(max_size=50))
def test_units_are_characters_plus_one_for_each_outside_the_basic_plane(text: str) -> None:
    assert utf16_units(text) == len(text) + sum(ord(char) > 0xFFFF for char in text)


def test_a_caption_with_a_nul_is_refused_because_not_every_database_holds_it() -> None:
    assert "caption has a NUL character" in refusal_of(caption="a\0b")


def test_branded_content_cannot_be_private() -> None:
    said = refusal_of(brand_content_toggle=True, privacy_level="SELF_ONLY")
    assert "choose another privacy_level than SELF_ONLY" in said
    assert parse(brand_organic_toggle=True, privacy_level="SELF_ONLY").brand_organic_toggle


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"caption"',
        b"{",
        b'{"caption": "caf\xe9"}',
        b"\xff\xfe{\x00}\x00",
        b'{"caption": "\\ud800"}',
        b"[" * 60_000,
    ],
)
def test_what_is_no_json_object_in_utf8_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("the sidecar cannot be used: ")


def test_a_byte_order_mark_from_an_editor_is_no_mistake() -> None:
    assert parse_sidecar(b'\xef\xbb\xbf{"caption": "a"}', VideoFields).caption == "a"


def test_a_sidecar_over_its_size_is_not_even_parsed() -> None:
    said = refusal(b" " * (SIDECAR_MAX_BYTES + 1))
    assert f"has {SIDECAR_MAX_BYTES + 1} bytes, at most {SIDECAR_MAX_BYTES} are read" in said
    assert parse_sidecar(b"{}".ljust(SIDECAR_MAX_BYTES), VideoFields) == VideoFields()


def test_a_long_wrong_value_does_not_flood_the_message() -> None:
    assert len(refusal_of(**{"x" * 30_000: 1}, mode="y" * 30_000)) < 1000


@given(st.binary(max_size=200))
def test_any_bytes_give_fields_or_one_clear_error(data: bytes) -> None:
    with suppress(SidecarError):
        assert isinstance(parse_sidecar(data, VideoFields), VideoFields)


# Photos


def parse_photos(**fields: Any) -> PhotoFields:
    return parse_sidecar(json.dumps(fields).encode(), PhotoFields)


def photo_refusal_of(**fields: Any) -> str:
    with pytest.raises(SidecarError) as refused:
        parse_photos(**fields)
    return str(refused.value)


def test_every_field_of_photos_is_read_and_kept_as_a_column() -> None:
    fields = parse_photos(
        title="Lake",
        caption="Hi",
        privacy_level="SELF_ONLY",
        auto_add_music=True,
        cover_index=1,
        images=["b.jpg", "a.jpg"],
        mode="draft",
    )
    assert fields.images == ["b.jpg", "a.jpg"]
    columns = fields.columns()
    assert {"images", "cover_index"}.isdisjoint(columns)
    kept = {"title": "Lake", "caption": "Hi", "auto_add_music": True, "photo_cover_index": 1}
    assert kept.items() <= columns.items()
    assert columns["mode"] is PostMode.DRAFT
    assert not columns["disable_duet"]


@pytest.mark.parametrize("field", ["disable_duet", "disable_stitch", "cover_timestamp_ms"])
def test_what_only_videos_have_is_refused_by_name(field: str) -> None:
    assert f"{field} is for videos only" in photo_refusal_of(**{field: 1})


@pytest.mark.parametrize("field", ["title", "auto_add_music", "cover_index", "images"])
def test_what_only_photos_have_is_refused_by_name(field: str) -> None:
    assert f"{field} is for photos only, which are given as a folder" in refusal_of(**{field: 1})


@pytest.mark.parametrize(("field", "longest"), [("title", 90), ("caption", 4000)])
def test_texts_of_photos_have_their_own_lengths_in_utf16_units(field: str, longest: int) -> None:
    fits = CLAPPER * (longest // 2)
    assert getattr(parse_photos(**{field: fits}), field) == fits
    told = photo_refusal_of(**{field: f"{fits}x"})
    assert f"{field} has {longest + 1} UTF-16 units, TikTok takes {longest}" in told


@pytest.mark.parametrize(
    "fields",
    [{"cover_index": -1}, {"cover_index": 35}, {"cover_index": "1"}, {"images": []}, {"title": 5}],
)
def test_a_wrong_value_of_photos_is_named(fields: dict[str, Any]) -> None:
    assert f"{next(iter(fields))} is " in photo_refusal_of(**fields)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"{}", None),
        (b'{"disable_comment": true}', None),
        (b'{"disable_comment": false}', "comment"),
        (
            b'{"disable_stitch": false, "disable_duet": false, "disable_comment": true}',
            "duet,stitch",
        ),
    ],
)
def test_only_what_is_named_is_asked_to_be_allowed(text: bytes, wanted: str | None) -> None:
    assert parse_sidecar(text, VideoFields).columns()["wanted_interactions"] == wanted
