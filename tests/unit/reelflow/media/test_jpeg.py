import io

import pytest
from PIL import Image

from reelflow.media.jpeg import read_jpeg_size


def encoded(form: str = "JPEG", **options: object) -> bytes:
    written = io.BytesIO()
    Image.effect_noise((64, 32), 50).convert("RGB").save(written, form, **options)
    return written.getvalue()


def test_a_plain_jpeg_has_its_size() -> None:
    assert read_jpeg_size(encoded()) == (64, 32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encoded("PNG"),
        encoded()[:-2],
        encoded()[:100],
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff\xc0\xff\xff" + b"\xff\xd9",
        b"\xff\xd8" + b"\xff\xc0\x00\x00" * 9 + b"\xff\xd9",
        encoded(comment=b"Jane Roe"),
        encoded(exif=b"Exif\0\0at home"),
        encoded(progressive=True),
    ],
)
def test_what_is_cut_or_holds_more_than_a_picture_has_none(data: bytes) -> None:
    assert read_jpeg_size(data) is None
