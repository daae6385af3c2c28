import contextlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from reelflow.exceptions import MediaRejectedError
from reelflow.media.images import measure_image, shrink_image
from tests.webp_bomb import webp_bomb

ORIENTATION = 0x0112


def encoded(image: Image.Image, form: str, **options: object) -> io.BytesIO:
    written = io.BytesIO()
    image.save(written, form, **options)
    return io.BytesIO(written.getvalue())


def shrink(source: io.BytesIO) -> tuple[Image.Image, bytes]:
    data, size = shrink_image(source, max_side_px=640)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("JPEG", size)
    return image, data


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_large_image_is_shrunk_and_a_small_one_is_not_enlarged(form: str) -> None:
    assert shrink(encoded(Image.new("RGB", (1280, 960)), form))[0].size == (640, 480)
    assert shrink(encoded(Image.new("RGB", (50, 40)), form))[0].size == (50, 40)


@settings(max_examples=30)
@given(
    long_px=st.integers(1, 4096),
    short_px=st.integers(1, 200),
    is_tall=st.booleans(),
    form=st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
@example(long_px=4096, short_px=100, is_tall=True, form="JPEG")
@example(long_px=4096, short_px=100, is_tall=False, form="PNG")
@example(long_px=4096, short_px=1, is_tall=True, form="JPEG")
@example(long_px=4096, short_px=1, is_tall=False, form="WEBP")
def test_however_long_an_image_is_a_pixel_is_left_of_each_side(
    long_px: int, short_px: int, is_tall: bool, form: str
) -> None:
    size = (short_px, long_px) if is_tall else (long_px, short_px)
    small = shrink(encoded(Image.new("L", size), form))[0].size
    factor = min(1, 640 / max(size))
    assert all(1 <= px <= 640 for px in small)
    for px, was_px in zip(small, size, strict=True):
        assert px == 1 or abs(px - was_px * factor) <= 1


def test_the_image_is_turned_upright() -> None:
    image = Image.new("RGB", (80, 40), "blue")
    image.paste((255, 0, 0), (0, 0, 40, 20))  # top left
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn 90 degrees clockwise to view
    upright, _ = shrink(encoded(image, "JPEG", exif=exif, quality=95))
    assert upright.size == (40, 80)
    red, _, blue = upright.getpixel((35, 5))  # type: ignore[misc]
    assert red > 200 > 60 > blue


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_no_metadata_is_kept(form: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    comment = {"comment": b"Jane Roe"} if form == "JPEG" else {}
    source = encoded(Image.new("RGB", (80, 40)), form, exif=exif, **comment)
    assert b"at home" in source.getvalue()
    _, data = shrink(source)
    assert b"at home" not in data
    assert b"Jane" not in data


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA", "RGBA"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert shrink(encoded(Image.new(mode, (20, 20)), form))[0].mode == "RGB"


def test_transparency_becomes_white() -> None:
    image, _ = shrink(encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG"))
    assert image.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(form: str) -> None:
    source = encoded(Image.new("RGB", (20, 20)), form)
    assert measure_image(source) == {"probe_error": "the image cannot be decoded"}
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        shrink(source)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [5000, 12000, 40000])
def test_too_many_pixels_are_refused_before_they_are_decoded(side: int) -> None:
    with pytest.raises(MediaRejectedError, match="pixels"):
        shrink(io.BytesIO(png_bomb(side)))


def png_bomb(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_image_is_refused(form: str) -> None:
    whole = encoded(Image.effect_noise((200, 200), 50).convert("RGB"), form).getvalue()
    with pytest.raises(MediaRejectedError):
        shrink(io.BytesIO(whole[: len(whole) // 2]))


SAMPLE = encoded(Image.effect_noise((40, 40), 50), "PNG").getvalue()


@settings(max_examples=50)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_damaged_image_is_shrunk_or_refused_but_raises_nothing_else(
    offset: int, byte: int
) -> None:
    damaged = SAMPLE[:offset] + bytes([byte]) + SAMPLE[offset + 1 :]
    with contextlib.suppress(MediaRejectedError):
        shrink(io.BytesIO(damaged))


def measured(data: bytes) -> dict[str, Any]:
    return measure_image(io.BytesIO(data))


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_an_image_is_measured_as_stored_and_as_shown(form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = encoded(Image.new("RGB", (80, 40)), form, exif=exif).getvalue()
    sizes = {"width": 80, "height": 40}
    assert measured(turned) == {**sizes, "display_width": 40, "display_height": 80}
    plain = encoded(Image.new("RGB", (80, 40)), form).getvalue()
    assert measured(plain) == {**sizes, "display_width": 80, "display_height": 40}


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_truncated_image_keeps_its_size_and_says_why_it_cannot_be_read(form: str) -> None:
    whole = encoded(Image.effect_noise((200, 200), 50).convert("RGB"), form).getvalue()
    facts = measured(whole[: len(whole) // 2])
    assert facts["probe_error"]


def test_what_pillow_cannot_identify_is_told_without_its_internals() -> None:
    assert measured(b"\xff\xd8\xffnonsense") == {"probe_error": "the image cannot be decoded"}


def test_an_image_of_too_many_pixels_is_measured_and_not_decoded() -> None:
    facts = measured(png_bomb(5000))
    assert (facts["width"], facts.get("probe_error")) == (5000, None)


def swapped_profile() -> bytes:
    """The sRGB profile with red and green exchanged: whoever obeys it shows green for red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * number
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_colour_profile_is_obeyed_and_not_kept(form: str) -> None:
    profile = swapped_profile()
    source = encoded(Image.new("RGB", (32, 32), (250, 10, 10)), form, icc_profile=profile)
    picture, data = shrink(source)
    red, green, _ = picture.getpixel((16, 16))  # type: ignore[misc]
    assert green > 200 > 100 > red
    assert "icc_profile" not in picture.info
    assert profile[:64] not in data


@pytest.mark.parametrize(
    "profile",
    [
        b"junk",
        bytes(16) + b"RGB " + bytes(200),
        swapped_profile().ljust(2**21, b"\0"),
        swapped_profile() + b"mpet",
    ],
    ids=["junk", "broken", "huge", "of any steps"],
)
def test_a_colour_profile_that_is_broken_or_costly_changes_nothing(profile: bytes) -> None:
    source = encoded(Image.new("RGB", (32, 32), (250, 10, 10)), "WEBP", icc_profile=profile)
    assert shrink(source)[0].getpixel((16, 16))[0] > 240  # type: ignore[index]


def test_a_profile_of_other_colours_than_the_images_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = encoded(Image.new("L", (32, 32), 100), "PNG", icc_profile=profile)
    assert shrink(source)[0].getpixel((16, 16)) == (100, 100, 100)


def grey_profile() -> bytes:
    """A profile of grey whose values are light itself, gamma 1 (ICC.1:2001-04, 6.3.2)."""
    xyz_d50 = struct.pack(">4s4xiii", b"XYZ ", 0xF6D6, 0x10000, 0xD32D)
    curve = struct.pack(">4s4xIH2x", b"curv", 1, 0x0100)
    tags = {b"wtpt": xyz_d50, b"kTRC": curve}
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(value))
        data += value
    header = struct.pack(
        ">I4sI4s4s4s12x4s28xiii48x", 128 + len(table) + len(data), b"lcms", 0x02100000,
        b"mntr", b"GRAY", b"XYZ ", b"acsp", 0xF6D6, 0x10000, 0xD32D,
    )  # fmt: skip
    return header + table + data


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_profile_of_grey_is_obeyed(form: str) -> None:
    source = encoded(Image.new("L", (32, 32), 64), form, icc_profile=grey_profile())
    # A quarter of the light is 137 in sRGB (IEC 61966-2-1).
    assert shrink(source)[0].getpixel((16, 16)) == (137, 137, 137)


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    """An EXIF block with these tags, types, counts and values, and noise behind them."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries))
    return head + packed + bytes(4) + bytes(range(100))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "entry",
    [
        (0x010E, 12, 3, 40),  # a text of floats
        (0x011A, 7, 30, 40),  # a resolution of bytes
        (0x8825, 4, 1, 2**32 - 1),  # a block of places that is nowhere
        (0x8769, 2, 90, 30),
        (0x927C, 13, 2**31, 2**32 - 1),
    ],
)
def test_a_broken_tag_beside_its_orientation_keeps_no_image_from_being_turned(
    form: str, entry: tuple[int, int, int, int]
) -> None:
    source = encoded(Image.new("RGB", (80, 40)), form, exif=tiff((ORIENTATION, 3, 1, 6), entry))
    assert shrink(source)[0].size == (40, 80)
    assert measure_image(source) == {
        "width": 80,
        "height": 40,
        "display_width": 40,
        "display_height": 80,
    }


@settings(max_examples=200)
@given(form=st.sampled_from(["JPEG", "PNG", "WEBP"]), block=st.binary(max_size=80))
def test_whatever_exif_says_the_picture_is_shown(form: str, block: bytes) -> None:
    source = encoded(Image.new("RGB", (80, 40)), form, exif=tiff((ORIENTATION, 3, 1, 1)) + block)
    assert shrink(source)[0].size == (80, 40)
    broken = encoded(Image.new("RGB", (80, 40)), form, exif=b"Exif\0\0II*\0" + block)
    assert sorted(shrink(broken)[0].size) == [40, 80]
    assert "probe_error" not in measure_image(broken)


def test_a_large_image_of_16_bits_of_grey_is_a_whole_one() -> None:
    large = encoded(Image.new("I;16", (1280, 960), 40_000), "PNG").getvalue()
    assert "probe_error" not in measured(large)


def test_one_grey_of_16_bits_that_is_transparent_becomes_white() -> None:
    row = struct.pack("<64H", *[70] * 32, *[40_000] * 32)
    image = Image.frombytes("I;16", (64, 32), row * 32)
    shown = shrink(encoded(image, "PNG", transparency=40_006))[0]
    assert shown.getpixel((48, 16)) == pytest.approx((255, 255, 255), abs=3)
    assert shown.getpixel((8, 16)) == pytest.approx((0, 0, 0), abs=3)


def test_a_webp_that_takes_more_memory_than_pixels_do_is_refused() -> None:
    assert measured(webp_bomb())["probe_error"]
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        shrink(io.BytesIO(webp_bomb()))


def test_a_png_of_more_text_than_picture_is_refused() -> None:
    text = zlib.compress("\N{GRINNING FACE}".encode().ljust(1_000_000))
    chunk = b"iTXtnote\0\1\0\0\0" + text
    packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    plain = encoded(Image.new("RGB", (160, 120)), "PNG").getvalue()
    assert "probe_error" not in measured(plain[:33] + packed + plain[33:])
    facts = measured(plain[:33] + packed * 40 + plain[33:])
    assert facts["probe_error"].startswith("Too much memory used in text chunks")
