"""Walking a container's outer structure, because libav takes cut files for whole ones.

Only box and chunk headers are read, each at the offset the one before it gives, so a walk costs
microseconds at any file size, and a hostile size is a number to compare, never one to allocate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reelflow.media import ebml
from reelflow.media.sniff import HEAD_BYTES

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, count)``: up to `count` bytes, shorter only at the end of the file."""

_MAX_TRAILING_BYTES = 7  # good files in the wild end in a few stray bytes, too few for a header
_MAX_BOXES = 100_000  # a fragmented file of hours has fewer; stops 4 GiB of empty boxes
_UNFINISHED_RIFF_SIZES = frozenset({0, 0xFFFFFFFF})  # a recorder that never came back to fill it in


@dataclass(frozen=True)
class ContainerWalk:
    """What the outer structure says.

    :param data_end_byte: where the data of a cut or damaged file ends; None for a whole one
    :param declared_size_bytes: size the container claims, if it claims more than there is
    :param faststart: MP4 and MOV: whether the index comes before the media data
    :param is_unfinished: AVI: whether its recorder never came back to fill in sizes and lengths
    """

    data_end_byte: int | None = None
    declared_size_bytes: int | None = None
    faststart: bool | None = None
    is_unfinished: bool = False


def walk_container(read_at: ReadAt, size_bytes: int, container: str) -> ContainerWalk:
    """Check that the container's parts fill the file exactly.

    :param container: as named by `sniff`; kinds without a walk give an empty result
    """
    if container in ("mp4", "mov"):
        return _walk_boxes(read_at, size_bytes)
    if container == "avi":
        return _walk_riff(read_at, size_bytes)
    if container in ("mkv", "webm"):
        return _walk_ebml(read_at, size_bytes)
    return ContainerWalk()


def _walk_boxes(read_at: ReadAt, size_bytes: int) -> ContainerWalk:
    """Walk the top-level boxes of ISO base media (ISO/IEC 14496-12, 4.2)."""
    offset = 0
    first: dict[bytes, int] = {}
    for _ in range(_MAX_BOXES):
        if size_bytes - offset <= _MAX_TRAILING_BYTES:
            return _finished_boxes(first, size_bytes)
        kind, end = _read_box(read_at, offset, size_bytes)
        if end is None:
            return ContainerWalk(offset, None, _faststart(first))
        first.setdefault(kind, offset)
        if end > size_bytes:
            return ContainerWalk(size_bytes, end, _faststart(first))
        offset = end
    return ContainerWalk(offset, None, _faststart(first))


def _read_box(read_at: ReadAt, offset: int, size_bytes: int) -> tuple[bytes, int | None]:
    """Give a box's type and the offset after it; None for bytes that are no box."""
    header = read_at(offset, 16)
    size, kind = int.from_bytes(header[:4], "big"), header[4:8]
    if size == 0:  # the last box: to the end of the file, as are zeros that pad a file
        return kind, size_bytes
    shortest = 8
    if size == 1:
        size, shortest = int.from_bytes(header[8:16], "big"), 16
    printable = all(32 <= byte < 127 or byte == 0xA9 for byte in kind)
    return kind, offset + size if printable and len(header) >= shortest <= size else None


def _finished_boxes(first: dict[bytes, int], size_bytes: int) -> ContainerWalk:
    whole = b"moov" in first and (b"mdat" in first or b"moof" in first)
    return ContainerWalk(None if whole else size_bytes, None, _faststart(first))


def _faststart(first: dict[bytes, int]) -> bool | None:
    if b"moov" not in first:
        return None
    return first[b"moov"] < first.get(b"mdat", first[b"moov"] + 1)


def _walk_riff(read_at: ReadAt, size_bytes: int) -> ContainerWalk:
    """Walk the RIFF chunks of an AVI file: one, or one a gigabyte in OpenDML files."""
    offset = 0
    for _ in range(_MAX_BOXES):
        if offset > 0 and size_bytes - offset <= _MAX_TRAILING_BYTES:
            return ContainerWalk()
        header = read_at(offset, 8)
        size = int.from_bytes(header[4:], "little")
        if len(header) < 8 or header[:4] != b"RIFF":
            return ContainerWalk(offset)
        if size in _UNFINISHED_RIFF_SIZES:
            return ContainerWalk(is_unfinished=True)
        end = offset + 8 + size
        if end > size_bytes:
            return ContainerWalk(size_bytes, end)
        offset = end + size % 2
    return ContainerWalk(offset)


def _walk_ebml(read_at: ReadAt, size_bytes: int) -> ContainerWalk:
    """Compare the size of the Segment, which holds all media, with the file's.

    A Segment written into a pipe has no size: then its parts must fill the file. The clusters of
    some live recordings have none either, and nothing tells then where the file should end.
    """
    head = read_at(0, HEAD_BYTES)
    header = ebml.read_element(head)
    if header is None or header.size is None:
        return ContainerWalk(0)
    offset = header.header_bytes + header.size
    is_in_segment = False
    for _ in range(_MAX_BOXES):
        if is_in_segment and size_bytes - offset <= _MAX_TRAILING_BYTES:
            return ContainerWalk()
        element = ebml.read_element(read_at(offset, ebml.MAX_ELEMENT_HEADER_BYTES))
        if element is None:
            return ContainerWalk(min(offset, size_bytes))
        is_segment = element.element_id == ebml.SEGMENT_ID
        if element.size is None and not is_segment:
            return ContainerWalk()
        end = offset + element.header_bytes + (element.size or 0)
        if end > size_bytes:
            return ContainerWalk(size_bytes, end)
        if is_segment and element.size is not None:
            return ContainerWalk()
        is_in_segment |= is_segment
        offset = end
    return ContainerWalk(offset)
