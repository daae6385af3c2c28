"""EXIF of strangers: texts are found in either byte order, lies are left out."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reelflow.analysis.exif import read_texts


def block(**texts: str) -> bytes:
    exif = Image.Exif()
    for name, value in texts.items():
        if name == "UserComment":
            exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + value.encode("utf-16-be")
        else:
            exif[{"Software": 0x0131, "Make": 0x010F}[name]] = value
    return exif.tobytes()


def test_texts_of_both_directories_are_read() -> None:
    read = read_texts(block(Software="NovelAI", Make="x", UserComment="Steps: 20, Sampler: a"))
    assert dict(read) == {
        "Software": "NovelAI", "Make": "x", "UserComment": "Steps: 20, Sampler: a",
    }  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHI", 0x0131, 2, 4) + b"abc\0"
    content = head + struct.pack(f"{order}IH", 8, 1) + entry
    assert read_texts(b"Exif\0\0" + content) == [("Software", "abc")]


@pytest.mark.parametrize("offset", [0, 7, 9, 2**31, 2**32 - 1])
def test_offsets_that_lead_nowhere_give_nothing(offset: int) -> None:
    assert read_texts(b"II*\0" + struct.pack("<I", offset)) == []


def test_a_text_that_claims_gigabytes_is_left_out() -> None:
    entry = struct.pack("<HHII", 0x0131, 2, 2**32 - 1, 0)
    assert read_texts(b"II*\0" + struct.pack("<IH", 8, 1) + entry) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    read_texts(b"II*\0\x08\0\0\0" + content)
    read_texts(content)
