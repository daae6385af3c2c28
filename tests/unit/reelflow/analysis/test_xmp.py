"""XMP of strangers: read flat, in bounds, without document types and entities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.analysis.xmp import MAX_BYTES, MAX_CHARS, MAX_NODES, read_properties

RDF = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"


def properties(packet: str) -> list[tuple[str, str]]:
    found, unread = read_properties([packet.encode()])
    assert unread == []
    return found


def test_attributes_elements_list_items_and_resources_are_properties() -> None:
    packet = (
        f"<rdf:RDF {RDF} xmlns:a='ns:a'><rdf:Description rdf:about='' a:b='1'><a:c> 2 </a:c>"
        "<a:d><rdf:Bag><rdf:li>3</rdf:li><rdf:li>4</rdf:li></rdf:Bag></a:d>"
        "<a:e rdf:resource='5'/></rdf:Description></rdf:RDF>"
    )
    assert properties(packet) == [
        ("ns:a b", "1"), ("ns:a c", "2"), ("ns:a d", "3"), ("ns:a d", "4"), ("ns:a e", "5"),
    ]  # fmt: skip


def test_a_prefix_means_what_the_innermost_element_says_until_that_ends() -> None:
    packet = "<a:r xmlns:a='1'><b xmlns='2' xmlns:a='3' a:c='x' d='y'>z</b><a:e>w</a:e></a:r>"
    assert properties(packet) == [("3 c", "x"), ("d", "y"), ("2 b", "z"), ("1 e", "w")]
    lang = "http://www.w3.org/XML/1998/namespace lang"
    assert properties("<r xml:lang='en'/>") == [(lang, "en")]


def test_padding_behind_the_packet_is_not_looked_at() -> None:
    assert properties("\0 <a b='1'/><?xpacket end='w'?> \0 whatever < &") == [("b", "1")]


def test_a_packet_that_cannot_be_read_leaves_the_others() -> None:
    found, unread = read_properties([b"<a b='1'/>", b"<a", b"<a c='2'/>"])
    assert found == [("b", "1"), ("c", "2")]
    assert len(unread) == 1


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"), "document type"),
        (b"<a>&b;</a>", "no XMP"),
        (b"<a>", "no XMP"),
        (b"", "no XMP"),
        (b"<b:a/>", "prefix b is not declared"),
        (b"<a b:c=''/>", "prefix b is not declared"),
        (b"<?xml version='1.0' encoding='nonsense'?><a/>", "no XMP"),
        (b"<a>" * 100 + b"</a>" * 100, "too many elements"),
        (b"<a>" + b"<b/>" * MAX_NODES + b"</a>", "too many elements"),
        (b"<a " + b"".join(b"b%d='' " % i for i in range(MAX_NODES)) + b"/>", "too many elements"),
        (
            b"<a " + b"".join(b"xmlns:b%d='' " % i for i in range(300)) + b"/>",
            "too many namespaces",
        ),
        (b"<" + b"a" * 600 + b">b</" + b"a" * 600 + b">", "too long"),
        (b"<a " + b"b" * 600 + b"=''/>", "too long"),
        (b"<a xmlns='" + b"b" * 600 + b"'/>", "too long"),
        (b" " * (MAX_BYTES + 1), "more than"),
    ],
)
def test_what_cannot_be_read_safely_is_not_read(packet: bytes, why: str) -> None:
    found, unread = read_properties([packet])
    assert found == []
    assert len(unread) == 1
    assert why in unread[0]


def test_all_packets_of_a_file_share_the_bounds() -> None:
    long = b"<a b='" + b"x" * (60 * 1024) + b"'/>"
    found, unread = read_properties([long] * 100)
    assert sum(len(name) + len(value) for name, value in found) <= MAX_CHARS
    assert len(found) + len(unread) == 100
    found, unread = read_properties([b"<a b='x'/>"] * MAX_NODES)
    assert len(found) == MAX_NODES / 2


@given(st.binary(max_size=300))
def test_any_bytes_are_properties_or_an_error(packet: bytes) -> None:
    read_properties([packet])
