"""Prepared copies keep to the platform's rules, look like originals, and tell nothing else."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from reelflow.domain.photos import TIKTOK_PHOTOS, image_violations
from reelflow.exceptions import MediaRejectedError, SourceChangedError
from reelflow.media.inspection import inspect_source
from reelflow.media.prepared_photo import prepare_photo
from reelflow.source import BytesSource, FileSource

ORIENTATION = 0x0112


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, form, **options)
    return written.getvalue()


def copied(content: bytes) -> bytes:
    """The copy, checked as a stranger's file would be: its facts are true and break no rule."""
    target = io.BytesIO()
    facts = prepare_photo(BytesSource(content), target)
    assert facts == inspect_source(BytesSource(target.getvalue()))
    assert image_violations(facts, "copy.jpg", TIKTOK_PHOTOS) == []
    return target.getvalue()


def prepared(content: bytes) -> Image.Image:
    copy = Image.open(io.BytesIO(copied(content)))
    assert (copy.format, copy.mode) == ("JPEG", "RGB")
    return copy


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), (1440, 1080)),
        ((3000, 4000), (1080, 1440)),
        ((4000, 400), (1920, 192)),
        ((4096, 100), (1920, 47)),
        ((100, 4096), (47, 1920)),
        ((1200, 1200), (1080, 1080)),
        ((1920, 1080), (1920, 1080)),
        ((300, 200), (300, 200)),
    ],
)
def test_it_is_shrunk_to_what_the_platform_takes_and_never_enlarged(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert prepared(encoded(Image.new("RGB", size), "PNG")).size == expected


@settings(max_examples=30)
@example(width=100, height=4096, orientation=1, form="JPEG")
@example(width=4096, height=100, orientation=6, form="PNG")
@example(width=1, height=4096, orientation=1, form="JPEG")
@example(width=4096, height=1, orientation=8, form="WEBP")
@given(
    width=st.integers(1, 2500),
    height=st.integers(1, 2500),
    orientation=st.integers(0, 9),
    form=st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
def test_any_size_and_orientation_keeps_to_the_rules(
    width: int, height: int, orientation: int, form: str
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    copy = prepared(encoded(Image.new("L", (width, height)), form, exif=exif))
    assert ORIENTATION not in copy.getexif()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright_as_a_viewer_shows_it(orientation: int, form: str) -> None:
    """The red corner stands where EXIF 2.32, 4.6.5.1.6, puts the first row and column."""
    image = Image.new("RGB", (200, 120), "blue")
    image.paste((255, 0, 0), (0, 0, 100, 60))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    copy = prepared(encoded(image, form, exif=exif))
    assert copy.size == ((120, 200) if orientation >= 5 else (200, 120))
    right, bottom = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    corner = (copy.width - 20 if right else 20, copy.height - 20 if bottom else 20)
    red, _, blue = copy.getpixel(corner)  # type: ignore[misc]
    assert red > 200 > 60 > blue


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_picture_is_kept(form: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"comment": b"Jane Roe"} if form == "JPEG" else {}
    content = encoded(
        Image.new("RGB", (80, 60)), form, exif=exif, icc_profile=icc, xmp=b"<x>Jane</x>", **more
    )
    content += b"PK\3\4 a hidden archive"
    copy = prepared(content)
    assert set(copy.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not copy.getexif()
    assert not any(word in copied(content) for word in (b"hidden", b"Jane", b"at home", b"ICC"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_kind_of_colour_is_taken(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    prepared(encoded(Image.new(mode, (20, 20)), form))


def test_sixteen_bits_of_grey_stay_grey() -> None:
    copy = prepared(encoded(Image.new("I;16", (40, 40), 40_000), "PNG"))
    assert copy.getpixel((20, 20)) == (156, 156, 156)


def test_what_is_transparent_lies_on_white() -> None:
    half = Image.new("RGBA", (40, 40), (0, 0, 0, 128))
    assert prepared(encoded(half, "PNG")).getpixel((20, 20)) == (127, 127, 127)
    indexed = Image.new("P", (40, 40), 1)
    indexed.putpalette([0, 0, 255, 255, 0, 0])
    assert prepared(encoded(indexed, "PNG")).getpixel((20, 20))[0] > 240  # type: ignore[index]
    content = encoded(indexed, "PNG", transparency=1)
    assert prepared(content).getpixel((20, 20)) == (255, 255, 255)


def test_few_colours_are_mixed_when_they_are_shrunk() -> None:
    stripes = Image.frombytes("P", (4000, 2000), b"\0\1" * 4_000_000)
    stripes.putpalette([0, 0, 0, 255, 255, 255])
    copy = prepared(encoded(stripes, "PNG"))
    shades = copy.convert("L").crop((9, 9, 1900, 900)).tobytes()
    assert 64 < min(shades) <= max(shades) < 192  # picking pixels would give 0 and 255


@pytest.mark.parametrize(
    "content", [b"", b"text", b"GIF89a", b"\xff\xd8\xffnonsense", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_image_makes_no_copy(content: bytes) -> None:
    target = io.BytesIO()
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        prepare_photo(BytesSource(content), target)
    assert target.getvalue() == b""


SAMPLE = encoded(Image.effect_noise((60, 40), 50), "JPEG")


@settings(max_examples=50)
@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_damaged_image_makes_a_good_copy_or_none(offset: int, byte: int) -> None:
    damaged = SAMPLE[:offset] + bytes([byte]) + SAMPLE[offset + 1 :]
    with contextlib.suppress(MediaRejectedError):
        prepared(damaged)


def test_a_file_that_is_written_to_meanwhile_is_told(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(SAMPLE)
    with path.open("rb") as file:
        source = FileSource(file.fileno(), "photo.jpg")
        path.write_bytes(SAMPLE + b"more")
        with pytest.raises(SourceChangedError, match=r"photo\.jpg was replaced or written to"):
            prepare_photo(source, io.BytesIO())
