"""Images that would take a worker's time are told by their heads."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from reelflow.domain.photos import INTAKE_PHOTOS
from reelflow.exceptions import MediaRejectedError
from reelflow.media.image_facts import image_cover, image_facts
from reelflow.media.image_parts import MAX_SCANS
from reelflow.source import BytesSource


def progressive(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again and again."""
    written = io.BytesIO()
    Image.effect_mandelbrot((160, 120), (-2, -1, 1, 1), 100).save(written, "JPEG", progressive=True)
    content = written.getvalue()
    last = content.rindex(b"\xff\xda")
    more = scans - content.count(b"\xff\xda")
    return content[:-2] + content[last:-2] * more + content[-2:]


def test_a_jpeg_of_as_many_scans_as_cameras_write_is_measured() -> None:
    source = BytesSource(progressive(MAX_SCANS))
    facts = image_facts(source, "jpeg")
    assert (facts.width, facts.height, facts.probe_error) == (160, 120, None)
    assert image_cover(source, facts).width == 160


def test_a_jpeg_that_would_be_decoded_for_minutes_is_not() -> None:
    source = BytesSource(progressive(MAX_SCANS + 1))
    facts = image_facts(source, "jpeg")
    assert (facts.width, facts.height, facts.probe_error) == (
        None,
        None,
        "101 scans, more than 100",
    )
    with pytest.raises(MediaRejectedError, match="No picture: 101 scans, more than 100; export"):
        image_cover(source, facts)


def test_an_image_larger_than_any_that_is_taken_in_is_not_decoded() -> None:
    cut = progressive(10)[:-400]
    source = BytesSource(cut + bytes(INTAKE_PHOTOS.max_size_bytes))
    facts = image_facts(source, "jpeg")
    assert (facts.width, facts.probe_error, facts.data_end_byte) == (160, None, None)
    with pytest.raises(MediaRejectedError, match="bytes are too many"):
        image_cover(source, facts)


def test_of_a_damaged_image_is_told_where_its_data_end() -> None:
    damaged = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**31 - 1, b"none") + bytes(8)
    facts = image_facts(BytesSource(damaged), "png")
    assert facts.probe_error is not None
    assert facts.data_end_byte == len(damaged)


def test_of_an_image_larger_than_any_that_is_taken_in_only_the_head_is_read() -> None:
    read: list[int] = []

    class Counted(BytesSource):
        def read_at(self, offset: int, count: int) -> bytes:
            read.append(count)
            return super().read_at(offset, count)

    written = io.BytesIO()
    Image.new("RGB", (160, 120)).save(written, "WEBP")
    source = Counted(written.getvalue() + bytes(INTAKE_PHOTOS.max_size_bytes))
    facts = image_facts(source, "webp")
    assert (facts.probe_error, facts.image_extras) == (None, None)
    assert read == [1024 * 1024]
