"""Reading element headers of EBML, the syntax of Matroska and WebM (RFC 8794)."""

from __future__ import annotations

from dataclasses import dataclass

HEADER_ID = 0x1A45DFA3
DOC_TYPE_ID = 0x4282
SEGMENT_ID = 0x18538067

MAX_ELEMENT_HEADER_BYTES = 12


@dataclass(frozen=True)
class Element:
    """One element header.

    :param size: bytes of content; None when the writer left it unknown (live recordings)
    :param header_bytes: length of the id and the size themselves
    """

    element_id: int
    size: int | None
    header_bytes: int


def read_element(data: bytes, offset: int = 0) -> Element | None:
    """Read the element header at an offset; None if it is cut off or not EBML."""
    id_bytes = _vint_length(data, offset, longest=4)
    if id_bytes is None:
        return None
    size_offset = offset + id_bytes
    size_bytes = _vint_length(data, size_offset, longest=8)
    if size_bytes is None:
        return None
    element_id = int.from_bytes(data[offset:size_offset], "big")
    value_mask = (1 << (7 * size_bytes)) - 1
    size = int.from_bytes(data[size_offset : size_offset + size_bytes], "big") & value_mask
    unknown = size == value_mask
    return Element(element_id, None if unknown else size, id_bytes + size_bytes)


def doc_type(head: bytes) -> str | None:
    """Give the DocType of a file that starts with an EBML header: ``webm``, ``matroska``, ..."""
    header = read_element(head)
    if header is None or header.element_id != HEADER_ID or header.size is None:
        return None
    offset = header.header_bytes
    end = min(len(head), offset + header.size)
    while offset < end:
        element = read_element(head, offset)
        if element is None or element.size is None:
            return None
        offset += element.header_bytes
        if element.element_id == DOC_TYPE_ID:
            text = head[offset : min(end, offset + element.size)]
            return text.rstrip(b"\0").decode("ascii", "replace")
        offset += element.size
    return None


def _vint_length(data: bytes, offset: int, *, longest: int) -> int | None:
    """Give the length of the variable-size integer at an offset: its leading zero bits plus one."""
    if offset >= len(data) or data[offset] == 0:
        return None
    length = 9 - data[offset].bit_length()
    return length if length <= longest and offset + length <= len(data) else None
