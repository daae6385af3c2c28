import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reelflow.exceptions import MediaRejectedError
from reelflow.media.images import jpeg_size, measure_image, shrink_image

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
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        shrink(encoded(Image.new("RGB", (20, 20)), form))


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


def test_only_a_whole_jpeg_has_a_size() -> None:
    whole = encoded(Image.effect_noise((64, 32), 50), "JPEG").getvalue()
    assert jpeg_size(whole) == (64, 32)
    assert jpeg_size(whole[: len(whole) // 2]) is None
    assert jpeg_size(b"") is None
    assert jpeg_size(SAMPLE) is None


def measured(tmp_path: Path, data: bytes) -> dict[str, Any]:
    path = tmp_path / "image"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(3)
        facts = measure_image(file.fileno())
        assert file.read(1) == data[3:4]  # its position stays
    return facts


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_an_image_is_measured_as_stored_and_as_shown(tmp_path: Path, form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = encoded(Image.new("RGB", (80, 40)), form, exif=exif).getvalue()
    sizes = {"width": 80, "height": 40}
    assert measured(tmp_path, turned) == {**sizes, "display_width": 40, "display_height": 80}
    plain = encoded(Image.new("RGB", (80, 40)), form).getvalue()
    assert measured(tmp_path, plain) == {**sizes, "display_width": 80, "display_height": 40}


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_truncated_image_keeps_its_size_and_says_why_it_cannot_be_read(
    tmp_path: Path, form: str
) -> None:
    whole = encoded(Image.effect_noise((200, 200), 50).convert("RGB"), form).getvalue()
    facts = measured(tmp_path, whole[: len(whole) // 2])
    assert facts["probe_error"]


def test_what_pillow_cannot_identify_is_told_without_its_internals(tmp_path: Path) -> None:
    assert measured(tmp_path, b"\xff\xd8\xffnonsense") == {
        "probe_error": "the image cannot be decoded"
    }


def test_an_image_of_too_many_pixels_is_measured_and_not_decoded(tmp_path: Path) -> None:
    facts = measured(tmp_path, png_bomb(5000))
    assert (facts["width"], facts.get("probe_error")) == (5000, None)
