"""Whatever an image holds beside a plain picture is told, also what nobody has heard of."""

import io
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from reelflow.media import image_extras
from reelflow.media.image_extras import find_extras

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
NOISE = Image.effect_noise((48, 32), 60).convert("RGB")
FORMS = {"jpeg": "JPEG", "webp": "WEBP"}


def encoded(container: str, image: Image.Image = NOISE, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, FORMS[container], **options)
    return written.getvalue()


JPEG, WEBP = encoded("jpeg"), encoded("webp")


def placed() -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@pytest.mark.parametrize("container", FORMS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 30},
        {"progressive": True, "lossless": True},
        {"restart_marker_rows": 1, "method": 6},
        {"keep_rgb": True},
        {"icc_profile": SRGB},
    ],
)
def test_a_plain_picture_holds_nothing_else(container: str, options: dict[str, Any]) -> None:
    assert find_extras(encoded(container, **options), container) == []
    grey = NOISE.convert("L")
    assert find_extras(encoded(container, grey), container) == []


@pytest.mark.parametrize("container", FORMS)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"exif": placed()}, image_extras.EXIF),
        ({"xmp": b"<x:xmpmeta/>"}, image_extras.XMP),
        ({"icc_profile": LAB}, image_extras.PROFILE),
        ({"icc_profile": SRGB + bytes(70_000)}, image_extras.PROFILE),  # in two segments
    ],
)
def test_metadata_of_both_formats_is_told(
    container: str, options: dict[str, Any], told: str
) -> None:
    assert find_extras(encoded(container, **options), container) == [told]


def segment(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        (0xFE, b"Jane Roe", image_extras.COMMENT),
        (0xED, b"Photoshop 3.0\0 8BIM", image_extras.IPTC),
        (0xE2, b"MPF\0", image_extras.MORE_PICTURES),
        (0xE2, b"ICC_PROFILE\0\1\2" + SRGB, image_extras.PROFILE),  # the first of two
        (0xEB, b"JP jumb c2pa", image_extras.OTHER_DATA),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0", image_extras.XMP),
        (0xE1, b"anything", image_extras.OTHER_DATA),
        (0xE0, b"JFXX\0\x10thumbnail", image_extras.OTHER_DATA),
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1rgb", image_extras.OTHER_DATA),  # with a thumbnail
        (0xEE, b"Adobe\0d\0\0\0\0\1 and more", image_extras.OTHER_DATA),
        (0xF0, b"reserved", image_extras.UNUSUAL_PARTS),
    ],
)
def test_segments_of_jpeg_are_told_wherever_they_stand(
    kind: int, content: bytes, told: str
) -> None:
    added = segment(kind, content)
    assert find_extras(JPEG[:2] + added + JPEG[2:], "jpeg") == [told]
    assert find_extras(JPEG[:-2] + added + JPEG[-2:], "jpeg") == [told]
    progressive = encoded("jpeg", progressive=True)
    between = progressive.rindex(b"\xff\xda")  # before its last scan
    assert find_extras(progressive[:between] + added + progressive[between:], "jpeg") == [told]


def test_how_adobe_codes_colours_is_no_metadata() -> None:
    adobe = segment(0xEE, b"Adobe\0d\0\0\0\0\1")
    assert find_extras(JPEG[:2] + adobe + JPEG[2:], "jpeg") == []


def test_colours_for_print_and_of_twelve_bits_are_told() -> None:
    printed = encoded("jpeg", Image.new("CMYK", (40, 30)))
    assert find_extras(printed, "jpeg") == [image_extras.UNUSUAL_COLOURS]
    twelve = JPEG.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")
    assert find_extras(twelve, "jpeg") == [image_extras.UNUSUAL_COLOURS]


def test_two_frames_or_none_are_unusual() -> None:
    frame = JPEG.index(b"\xff\xc0")
    doubled = JPEG[:frame] + JPEG[frame : frame + 19] + JPEG[frame:]
    assert find_extras(doubled, "jpeg") == [image_extras.UNUSUAL_PARTS]
    assert find_extras(JPEG[:2] + JPEG[-2:], "jpeg") == [image_extras.UNUSUAL_PARTS]


def test_more_pictures_of_one_jpeg_are_told() -> None:
    written = io.BytesIO()
    NOISE.save(written, "MPO", save_all=True, append_images=[NOISE])
    told = [image_extras.MORE_PICTURES, image_extras.BEHIND_END]
    assert find_extras(written.getvalue(), "jpeg") == told


@pytest.mark.parametrize("lossless", [True, False])
def test_transparent_webp_is_told(lossless: bool) -> None:
    clear = NOISE.convert("RGBA")
    clear.putalpha(90)
    told = find_extras(encoded("webp", clear, lossless=lossless), "webp")
    assert told == [image_extras.TRANSPARENCY]


def test_animated_webp_is_told() -> None:
    content = encoded("webp", save_all=True, append_images=[Image.new("RGB", NOISE.size)])
    assert image_extras.ANIMATION in find_extras(content, "webp")


def with_chunk(kind: bytes, content: bytes) -> bytes:
    body = WEBP[8:] + struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_chunks_that_nobody_knows_are_told() -> None:
    assert find_extras(with_chunk(b"GPS ", b"52.5,13.4"), "webp") == [image_extras.OTHER_DATA]
    assert find_extras(with_chunk(b"EXIF", b"odd"), "webp") == [image_extras.EXIF]
    assert find_extras(with_chunk(b"VP8 ", b"again"), "webp") == [image_extras.UNUSUAL_PARTS]


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        (b"VP8X", b"\x10" + bytes(9), image_extras.TRANSPARENCY),
        (b"VP8X", b"\x02" + bytes(9), image_extras.ANIMATION),
        (b"ALPH", b"\0", image_extras.TRANSPARENCY),
        (b"ANIM", bytes(6), image_extras.ANIMATION),
        (b"ANMF", bytes(16), image_extras.ANIMATION),
    ],
)
def test_each_sign_of_transparency_and_animation_is_told(
    kind: bytes, content: bytes, told: str
) -> None:
    assert find_extras(with_chunk(kind, content), "webp") == [told]


@pytest.mark.parametrize("container", FORMS)
@given(behind=st.binary(min_size=1, max_size=40))
def test_bytes_behind_the_end_are_told(container: str, behind: bytes) -> None:
    content = {"jpeg": JPEG, "webp": WEBP}[container]
    assert find_extras(content + behind, container) == [image_extras.BEHIND_END]


@pytest.mark.parametrize("container", FORMS)
@settings(max_examples=200)
@given(data=st.data())
def test_no_cut_file_is_plain(container: str, data: st.DataObject) -> None:
    content = {"jpeg": JPEG, "webp": WEBP}[container]
    length = data.draw(st.integers(0, len(content) - 1))
    assert find_extras(content[:length], container) != []


@given(kind=st.integers(0xE0, 0xFE), content=st.binary(max_size=60))
def test_no_segment_of_strangers_gets_through(kind: int, content: bytes) -> None:
    assert find_extras(JPEG[:2] + segment(kind, content) + JPEG[2:], "jpeg") != []
