"""XMP of strangers: read flat, in bounds, without document types and entities."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.analysis.xmp import MAX_BYTES, XmpError, read_properties

RDF = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"


def test_attributes_elements_list_items_and_resources_are_properties() -> None:
    packet = (
        f"<rdf:RDF {RDF} xmlns:a='ns:a'><rdf:Description rdf:about='' a:b='1'><a:c> 2 </a:c>"
        "<a:d><rdf:Bag><rdf:li>3</rdf:li><rdf:li>4</rdf:li></rdf:Bag></a:d>"
        "<a:e rdf:resource='5'/></rdf:Description></rdf:RDF>"
    )
    assert read_properties(packet.encode()) == [
        ("ns:a b", "1"), ("ns:a c", "2"), ("ns:a d", "3"), ("ns:a d", "4"), ("ns:a e", "5"),
    ]  # fmt: skip


def test_padding_behind_the_packet_is_not_looked_at() -> None:
    packet = b"\0 <a b='1'/><?xpacket end='w'?> \0 whatever < &"
    assert read_properties(packet) == [("b", "1")]


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type"),
        (b"<a>&b;</a>", "no XMP"),
        (b"<a>", "no XMP"),
        (b"", "no XMP"),
        (b"<?xml version='1.0' encoding='nonsense'?><a/>", "no XMP"),
        (b"<a>" * 100 + b"</a>" * 100, "too many elements"),
        (b"<a>" + b"<b/>" * 30_000 + b"</a>", "too many elements"),
        (b" " * (MAX_BYTES + 1), "more than"),
    ],
)
def test_what_cannot_be_read_safely_is_not_read(packet: bytes, why: str) -> None:
    with pytest.raises(XmpError, match=why):
        read_properties(packet)


@given(st.binary(max_size=300))
def test_any_bytes_are_properties_or_an_error(packet: bytes) -> None:
    with contextlib.suppress(XmpError):
        read_properties(packet)
