import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.media.ebml import Element, doc_type, read_element


@pytest.mark.parametrize(
    ("data", "element"),
    [
        (b"\xec\x81x", Element(0xEC, 1, 2)),
        (b"\x42\x82\x84webm", Element(0x4282, 4, 3)),
        (b"\x1a\x45\xdf\xa3\x40\x02", Element(0x1A45DFA3, 2, 6)),
        (b"\xec\x01\0\0\0\0\0\0\x05", Element(0xEC, 5, 9)),
    ],
)
def test_an_element_header_is_read(data: bytes, element: Element) -> None:
    assert read_element(data) == element


@pytest.mark.parametrize("size", [b"\xff", b"\x7f\xff", b"\x01" + b"\xff" * 7])
def test_all_ones_mean_an_unknown_size_in_every_length(size: bytes) -> None:
    element = read_element(b"\x18\x53\x80\x67" + size)
    assert element is not None
    assert element.size is None


@pytest.mark.parametrize("data", [b"", b"\0", b"\xec", b"\x1a\x45", b"\x08\0\0\0\0\x81", b"\xec\0"])
def test_what_is_cut_or_no_element_gives_none(data: bytes) -> None:
    assert read_element(data) is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xec\x81x",
        b"\x1a\x45\xdf\xa3\xff",  # a header of unknown size
        b"\x1a\x45\xdf\xa3\x83\x42\x86\xff",  # a child of unknown size
        b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01",  # no DocType in it
    ],
)
def test_a_head_without_doc_type_gives_none(head: bytes) -> None:
    assert doc_type(head) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    read_element(data)
    doc_type(b"\x1a\x45\xdf\xa3" + data)
