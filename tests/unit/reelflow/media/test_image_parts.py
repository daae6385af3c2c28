"""Images of more parts than any real one has are told before anything reads them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.media.image_parts import MAX_PARTS, MAX_SCANS, excess


def plain(form: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    written = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(written, form, **options)
    return written.getvalue()


def jpeg_with(part: bytes, count: int) -> bytes:
    content = plain("JPEG")
    return content[:2] + part * count + content[2:]


def png_with(part: bytes, count: int) -> bytes:
    content = plain("PNG")
    checksum = zlib.crc32(part).to_bytes(4, "big")
    return content[:33] + (bytes(4) + part + checksum) * count + content[33:]  # behind IHDR


def webp_with(part: bytes, count: int) -> bytes:
    content = plain("WEBP") + part * count
    return content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]


@pytest.mark.parametrize(
    ("container", "make", "part"),
    [
        ("jpeg", jpeg_with, b"\xff\xe5\0\2"),
        ("jpeg", jpeg_with, b"\xff\xe1\0\x09Exif\0\0x"),
        ("jpeg", jpeg_with, b"\xff"),
        ("jpeg", jpeg_with, b"\xff\x00"),
        ("jpeg", jpeg_with, b"\xff\x01"),
        ("jpeg", jpeg_with, b"\xff\xd0"),
        ("jpeg", jpeg_with, b"\xff\xe5\0\0"),  # shorter than its own length
        ("jpeg", jpeg_with, b"junk"),
        ("png", png_with, b"prVt"),
        ("png", png_with, b"IDAT"),
        ("webp", webp_with, b"ABCD\0\0\0\0"),
        ("webp", webp_with, b"ABCD\1\0\0\0x\0"),
    ],
)
def test_as_many_parts_as_no_image_has_are_told(
    container: str, make: Callable[[bytes, int], bytes], part: bytes
) -> None:
    most = MAX_PARTS[container]
    assert excess(make(part, most), container) == f"more than {most} parts"
    assert excess(make(part, 100), container) is None


def test_restarts_within_the_picture_are_no_parts() -> None:
    restarting = plain("JPEG", size=(640, 480), restart_marker_blocks=1)
    assert restarting.count(b"\xff\xd0") * 8 > MAX_PARTS["jpeg"]  # the first of eight in turn
    assert excess(restarting, "jpeg") is None


def test_segments_between_the_scans_count_as_well() -> None:
    content = plain("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    many = content[:last] + b"\xff\xe5\0\2" * 500 + content[last:]
    assert excess(many, "jpeg") == "more than 500 parts"


def test_the_largest_png_may_have_chunks_of_two_kibibytes() -> None:
    most = INTAKE_PHOTOS.max_size_bytes // (12 + 2048)
    assert excess(png_with(b"IDAT", most), "png") is None


@pytest.mark.parametrize("container", MAX_PARTS)
@pytest.mark.parametrize("junk", [bytes(12), b"\xff\xe5\0\2", b"\xff\xda"])
def test_what_follows_an_image_does_not_count(container: str, junk: bytes) -> None:
    assert excess(plain(container) + junk * 40_000, container) is None


def test_a_segment_may_hold_what_looks_like_scans() -> None:
    held = b"\xff\xda" * (MAX_SCANS + 1)
    assert excess(jpeg_with(b"\xff\xe3\0" + bytes((len(held) + 2,)) + held, 1), "jpeg") is None


def test_what_fills_a_jpeg_up_to_its_end_does_not_count() -> None:
    content = plain("JPEG")
    assert excess(content[:-2] + b"\xff" * 5000 + content[-2:], "jpeg") is None


def test_as_many_scans_as_no_camera_writes_are_told() -> None:
    content = plain("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    many = content[:-2] + content[last:-2] * MAX_SCANS + content[-2:]
    told = content.count(b"\xff\xda") + MAX_SCANS
    assert excess(many, "jpeg") == f"{told} scans, more than 100"


@pytest.mark.parametrize("container", MAX_PARTS)
def test_cut_anywhere_an_image_is_walked_to_where_it_ends(container: str) -> None:
    content = plain(container)
    assert all(excess(content[:end], container) is None for end in range(len(content)))


def test_a_webp_that_is_cut_has_no_parts_behind_its_data() -> None:
    content = plain("WEBP")
    assert excess(content[:4] + b"\xff\xff\xff\xff" + content[8:], "webp") is None
