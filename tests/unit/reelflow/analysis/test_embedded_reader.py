"""What files carry is found in each format, and hostile ones cost no more than their bounds."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.analysis.embedded import PART_MAX_BYTES, Embedded
from reelflow.analysis.embedded_reader import read_embedded
from reelflow.block_source import FIRST_BLOCK_BYTES
from tests import media_files, photo_files
from tests.analysis_subjects import MemoryFile, subject
from tests.media_files import run_ffmpeg

PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
PNG = b"\x89PNG\r\n\x1a\n"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def read(content: bytes) -> Embedded:
    one = subject(content)
    return read_embedded(one.source, one.container)


def texts(content: bytes) -> dict[str, str]:
    return dict(read(content).texts)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + bytes(4)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def test_png_texts_are_read_in_all_three_forms_behind_the_picture_too() -> None:
    content = (
        PNG
        + chunk(b"tEXt", b"Software\0NovelAI")
        + chunk(b"IDAT", bytes(100))
        + chunk(b"zTXt", b"packed\0\0" + zlib.compress(b"a text"))
        + chunk(b"iTXt", b"plain\0\0\0en\0\0\xc3\xa4")
        + chunk(b"iTXt", b"both\0\1\0\0\0" + zlib.compress(b"b"))
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)
        + chunk(b"IEND", b"")
        + chunk(b"tEXt", b"after\0the end")
    )
    assert texts(content) == {"Software": "NovelAI", "packed": "a text", "plain": "ä", "both": "b"}
    assert read(content).xmp == [PACKET]


def test_a_text_that_inflates_without_end_is_left_out() -> None:
    bomb = zlib.compress(b"x" * (2 * PART_MAX_BYTES))
    assert texts(PNG + chunk(b"zTXt", b"bomb\0\0" + bomb)) == {"bomb": ""}


def test_riff_files_hold_xmp_and_exif_under_their_own_names() -> None:
    exif = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x0131, 2, 4) + b"abc\0"
    parts = b"VP8 " + struct.pack("<I", 3) + b"abc\0"
    parts += b"EXIF" + struct.pack("<I", len(exif)) + exif
    parts += b"XMP " + struct.pack("<I", len(PACKET)) + PACKET
    content = b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts
    assert texts(content) == {"Software": "abc"}
    assert read(content).xmp == [PACKET]
    avi = content.replace(b"WEBP", b"AVI ").replace(b"XMP ", b"_PMX")
    assert read(avi).xmp == [PACKET]


def test_mp4_holds_xmp_in_a_box_of_its_own_and_mov_in_its_user_data() -> None:
    mp4 = media_files.h264_mp4().read_bytes()
    assert read(mp4 + box(b"uuid", XMP_UUID + PACKET)).xmp == [PACKET]
    mov = box(b"ftyp", b"qt  \0\0\0\0") + box(b"moov", box(b"udta", box(b"XMP_", PACKET)))
    assert read(mov).xmp == [PACKET]


@pytest.mark.parametrize("flags", ["", "use_metadata_tags"])
def test_tags_are_read_as_ffmpeg_writes_them(tmp_path: Path, flags: str) -> None:
    for name, source in (
        ("a.mp4", media_files.h264_mp4()),
        ("a.mov", media_files.h264_mp4()),
        ("a.mkv", media_files.h264_mkv()),
        ("a.webm", media_files.vp9_webm()),
    ):
        tag = ("-metadata", "comment=from nowhere")
        options = ("-movflags", flags) if flags and name[2] == "m" and name != "a.mkv" else ()
        run_ffmpeg("-i", str(source), "-c", "copy", *tag, *options, str(tmp_path / name))
        assert "from nowhere" in texts((tmp_path / name).read_bytes()).values(), name


def test_a_freely_named_tag_is_read_by_its_name() -> None:
    inner = box(b"mean", bytes(4) + b"org.example") + box(b"name", bytes(4) + b"AIGC")
    item = box(b"----", inner + box(b"data", bytes(8) + b"value"))
    meta = box(b"meta", bytes(4) + box(b"ilst", item))
    content = box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"udta", meta))
    assert texts(content) == {"AIGC": "value"}


def test_the_picture_itself_is_not_read() -> None:
    content = media_files.h264_mp4().read_bytes() + box(b"free", bytes(3_000_000))
    file = MemoryFile(content)
    read_embedded(file, "mp4")
    assert file.bytes_read <= 2 * FIRST_BLOCK_BYTES


def test_a_box_smaller_than_its_own_header_ends_the_reading() -> None:
    file = MemoryFile(box(b"ftyp", b"isom\0\0\0\0") + b"\0\0\0\4" * 100_000)
    read_embedded(file, "mp4")
    assert file.bytes_read <= FIRST_BLOCK_BYTES


def test_a_picture_in_many_small_parts_takes_few_reads() -> None:
    content = PNG + chunk(b"IDAT", bytes(8192)) * 640 + chunk(b"tEXt", b"Software\0NovelAI")
    file = MemoryFile(content + chunk(b"IEND", b""))
    assert dict(read_embedded(file, "png").texts) == {"Software": "NovelAI"}
    assert file.reads <= 25  # of 5 MiB


def element(number: bytes, content: bytes, size: bytes | None = None) -> bytes:
    return number + (size or bytes([0x80 | len(content)])) + content


def test_the_tags_of_a_live_recording_are_read_too() -> None:
    simple = element(b"\x45\xa3", b"PROMPT") + element(b"\x44\x87", b"a cat")
    tags = element(b"\x12\x54\xc3\x67", element(b"\x73\x73", element(b"\x67\xc8", simple)))
    header = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm"))
    unknown = b"\x01" + b"\xff" * 7
    assert texts(header + element(b"\x18\x53\x80\x67", tags, unknown)) == {"PROMPT": "a cat"}


def deep() -> bytes:
    content = b""
    for _ in range(3000):
        content = box(b"meta", content)
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty boxes": lambda: box(b"ftyp", b"isom\0\0\0\0") + box(b"free", b"") * 100_000,
    "deep boxes": deep,
    "a large packet": lambda: (
        box(b"ftyp", b"isom\0\0\0\0") + box(b"uuid", XMP_UUID + bytes(PART_MAX_BYTES + 1))
    ),
    "many large packets": lambda: (
        box(b"ftyp", b"isom\0\0\0\0") + box(b"uuid", XMP_UUID + bytes(PART_MAX_BYTES)) * 20
    ),
    "padding without end": lambda: photo_files.image()[:2] + b"\xff" * 100_000,
    "a box that ends before it begins": lambda: (
        box(b"ftyp", b"isom\0\0\0\0") + struct.pack(">I4sQ", 1, b"moov", 3)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_no_more_than_its_bounds(name: str) -> None:
    content = HOSTILE[name]()
    file = MemoryFile(content)
    found = read_embedded(file, subject(content).container)
    assert file.bytes_read <= 9 * 1024 * 1024
    assert file.reads <= 50
    assert sum(map(len, found.xmp)) <= 8 * 1024 * 1024


@given(data=st.binary(max_size=300), container=st.sampled_from(
    ["jpeg", "png", "webp", "avi", "mp4", "mov", "mkv", "webm", "other:text"]
))  # fmt: skip
def test_any_bytes_are_read_without_an_error(data: bytes, container: str) -> None:
    read_embedded(MemoryFile(data), container)
