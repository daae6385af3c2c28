import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.media.container import ContainerWalk, walk_container


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def large_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 1) + kind + struct.pack(">Q", 16 + len(content)) + content


def riff(form: bytes, content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + form + content


def element(element_id: bytes, content: bytes) -> bytes:
    return element_id + b"\x01" + struct.pack(">Q", len(content))[1:] + content


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")
MOOV = box(b"moov", b"m" * 40)
MDAT = box(b"mdat", b"d" * 100)
EBML_HEADER = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm")
SEGMENT = b"\x18\x53\x80\x67"
CLUSTER = b"\x1f\x43\xb6\x75"
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7

WHOLE = {
    "faststart": ("mp4", FTYP + MOOV + MDAT),
    "index last": ("mp4", FTYP + box(b"free") + MDAT + MOOV),
    "64-bit size": ("mov", FTYP + large_box(b"mdat", b"d" * 90) + MOOV),
    "avi": ("avi", riff(b"AVI ", b"a" * 90)),
    "webm": ("webm", EBML_HEADER + element(SEGMENT, b"s" * 90)),
    "mkv with padding first": (
        "mkv",
        EBML_HEADER + element(b"\xec", b"0") + element(SEGMENT, b"s"),
    ),
}


def walk(data: bytes, container: str) -> ContainerWalk:
    return walk_container(reader(data), len(data), container)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    def read_at(offset: int, count: int) -> bytes:
        assert count <= 4096
        return data[offset : offset + count]

    return read_at


@pytest.mark.parametrize(("container", "data"), WHOLE.values(), ids=WHOLE)
def test_a_whole_file_has_no_data_end(container: str, data: bytes) -> None:
    assert walk(data, container).data_end_byte is None


@pytest.mark.parametrize(("container", "data"), WHOLE.values(), ids=WHOLE)
def test_up_to_seven_stray_bytes_at_the_end_are_tolerated(container: str, data: bytes) -> None:
    assert walk(data + b"\xff" * 7, container).data_end_byte is None


@pytest.mark.parametrize(("container", "data"), WHOLE.values(), ids=WHOLE)
@given(share=st.floats(0, 1, exclude_max=True))
def test_every_truncation_is_found(container: str, data: bytes, share: float) -> None:
    end = int(len(data) * share)
    result = walk(data[:end], container)
    assert result.data_end_byte is not None
    assert result.data_end_byte <= end
    if result.declared_size_bytes is not None:
        assert (result.data_end_byte, len(data) >= result.declared_size_bytes > end) == (end, True)


def test_a_cut_inside_the_media_data_names_both_ends() -> None:
    data = FTYP + MOOV + MDAT
    result = walk(data[:-55], "mp4")
    assert result == ContainerWalk(len(data) - 55, len(data), True)


@pytest.mark.parametrize(
    ("data", "faststart"),
    [
        (FTYP + MOOV + MDAT, True),
        (FTYP + MDAT + MOOV, False),
        (FTYP + MOOV + box(b"moof") + MDAT, True),
    ],
)
def test_faststart_means_index_before_media_data(data: bytes, faststart: bool) -> None:
    assert walk(data, "mp4") == ContainerWalk(faststart=faststart)


def test_a_cut_exactly_between_boxes_is_found_by_what_is_missing() -> None:
    assert walk(FTYP + MOOV, "mp4").data_end_byte == len(FTYP + MOOV)
    assert walk(FTYP + MDAT, "mp4").data_end_byte == len(FTYP + MDAT)


def test_a_last_box_of_size_zero_reaches_to_the_end() -> None:
    assert walk(FTYP + MOOV + b"\0\0\0\0mdat" + b"d" * 9, "mp4").data_end_byte is None


def test_zeros_that_pad_a_file_are_tolerated() -> None:
    assert walk(FTYP + MOOV + MDAT + bytes(512), "mp4").data_end_byte is None


@pytest.mark.parametrize(
    "junk", [b"PK\x03\x04\x14\0\0\0\x08", b"\0\0\0\x07abcd....", b"\0\0\0\1mdat"]
)
def test_bytes_that_are_no_box_are_damage_at_their_offset(junk: bytes) -> None:
    whole = FTYP + MOOV + MDAT
    assert walk(whole + junk, "mp4") == ContainerWalk(len(whole), None, True)


def test_a_64_bit_size_is_compared_and_never_allocated() -> None:
    huge = FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1) + b"d" * 9
    end = len(FTYP + MOOV) + 2**64 - 1
    assert walk(huge, "mp4") == ContainerWalk(len(huge), end, True)


@pytest.mark.parametrize(
    ("container", "unit"),
    [("mp4", box(b"free")), ("avi", b"RIFF\1\0\0\0\0\0"), ("webm", b"\xec\x80")],
)
def test_endless_tiny_parts_are_given_up(container: str, unit: bytes) -> None:
    start = EBML_HEADER if container == "webm" else b""

    def read_at(offset: int, count: int) -> bytes:
        if offset < len(start):
            return (start + unit * 4096)[offset : offset + count]
        return (unit * 16)[(offset - len(start)) % len(unit) :][:count]

    result = walk_container(read_at, 4 * 1024**3, container)
    assert result.data_end_byte is not None
    assert result.data_end_byte < 4 * 1024**3


def test_an_opendml_avi_has_several_riff_chunks() -> None:
    first, second = riff(b"AVI ", b"a" * 91), riff(b"AVIX", b"b" * 30)
    whole = first + b"\0" + second
    assert walk(whole, "avi") == ContainerWalk()
    assert walk(whole[:-9], "avi") == ContainerWalk(len(whole) - 9, len(whole))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_an_avi_nobody_finished_declares_no_size_to_judge_by(size: int) -> None:
    assert walk(b"RIFF" + struct.pack("<I", size) + b"AVI " + b"a" * 90, "avi") == ContainerWalk(
        is_unfinished=True
    )


def test_a_segment_of_unknown_size_is_cut_where_one_of_its_parts_is() -> None:
    parts = element(b"\x16\x54\xae\x6b", b"t" * 30) + element(CLUSTER, b"c" * 300)
    whole = EBML_HEADER + SEGMENT + UNKNOWN_SIZE + parts + element(CLUSTER, b"d" * 50)
    assert walk(whole, "webm") == walk(whole + b"\xff" * 7, "webm") == ContainerWalk()
    assert walk(whole[:-20], "webm") == ContainerWalk(len(whole) - 20, len(whole))
    assert walk(whole[: -len(element(CLUSTER, b"d" * 50)) + 9], "webm").data_end_byte is not None


def test_a_live_recording_whose_clusters_have_no_size_is_not_called_cut() -> None:
    live = EBML_HEADER + SEGMENT + UNKNOWN_SIZE + CLUSTER + UNKNOWN_SIZE + b"s" * 50
    assert walk(live, "webm") == ContainerWalk()


@pytest.mark.parametrize("container", ["jpeg", "other:text"])
def test_other_kinds_are_not_walked(container: str) -> None:
    assert walk(b"whatever it is", container) == ContainerWalk()


@given(st.binary(max_size=200), st.sampled_from(["mp4", "mov", "avi", "webm", "mkv"]))
def test_any_bytes_give_an_end_within_the_file(data: bytes, container: str) -> None:
    result = walk(data, container)
    assert result.data_end_byte is None or 0 <= result.data_end_byte <= len(data)
