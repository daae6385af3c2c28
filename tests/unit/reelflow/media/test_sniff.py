import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.media.sniff import sniff

EBML_START = b"\x1a\x45\xdf\xa3"


def ebml_head(doc_type: bytes) -> bytes:
    content = b"\x42\x86\x81\x01" + b"\x42\x82" + bytes([0x80 | len(doc_type)]) + doc_type
    return EBML_START + bytes([0x80 | len(content)]) + content


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "mp4"),
        (b"\0\0\0\x14ftypmp42\0\0\0\0", "mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", "mov"),
        (b"\0\0\0\x08wide\0\0\x10\0mdat", "mov"),
        (b"\0\0\x10\0moov\0\0\0\x6cmvhd", "mov"),
        (ebml_head(b"webm"), "webm"),
        (ebml_head(b"matroska"), "mkv"),
        (ebml_head(b"matroska\0"), "mkv"),
        (b"RIFF\x10\0\0\0AVI LIST", "avi"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"),
    ],
)
def test_media_is_known_by_its_first_bytes(head: bytes, name: str) -> None:
    assert sniff(head) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "other:empty"),
        (b"ffconcat version 1.0\nfile 'a.mp4'\n", "other:playlist"),
        (b"#EXTM3U\n#EXTINF:1\nfile:///a.ts\n", "other:playlist"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "other:playlist"),
        (b"\xef\xbb\xbfplain text", "other:text"),
        ("Grüße\n".encode(), "other:text"),
        ("ü".encode() * 3 + b"\xc3", "other:text"),
        (b"  <!DOCTYPE html><html>", "other:html"),
        (b"\xffabc\xfe\xfd\xfc\xfb", "other:unknown"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0", "other:unknown"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "other:heif"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "other:avif"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0", "other:m4a"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "other:wav"),
        (b"RIFF", "other:riff"),
        (EBML_START, "other:ebml"),
        (ebml_head(b"x"), "other:ebml"),
        (b"G" + bytes(187) + b"G" + bytes(187), "other:mpeg-ts"),
        (2 * (b"\0\0\x12\x34G" + bytes(187)), "other:mpeg-ts"),
        (b"G" + b"o" * 187 + b"G" + b"o" * 400, "other:text"),
        (b"GIF89a", "other:gif"),
        (b"II*\0\x08\0\0\0", "other:tiff"),
        (b"MM\0*\0\0\0\x08", "other:tiff"),
        (b"BM\x36\0\1\0\0\0\0\0\x36\0", "other:bmp"),
        (b"BM is two letters\n", "other:text"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "other:jpeg2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "other:jpeg-xl"),
        (b"\xff\x0a\xfa\x7f", "other:jpeg-xl"),
        (b"PK\x03\x04", "other:zip"),
    ],
)
def test_everything_else_is_other_with_a_word_for_it(head: bytes, name: str) -> None:
    assert sniff(head) == name


@given(st.binary(max_size=600))
def test_any_bytes_get_a_name(head: bytes) -> None:
    assert sniff(head)


@given(st.binary(max_size=600))
def test_any_bytes_after_an_ebml_start_get_a_name(tail: bytes) -> None:
    assert sniff(EBML_START + tail) in {"other:ebml", "webm", "mkv"}
