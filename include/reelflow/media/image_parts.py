"""Whether an image has so many parts that reading it would take minutes; nothing is decoded.

Pillow walks the parts in Python, keeps each, and copies all EXIF so far for each block of it: a
JPEG of 20 MB that is nothing but empty segments took 700 MiB, one of tiny EXIF blocks minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

#: Most parts of a file. In JPEG, a segment holds 64 KB: 20 MB of them are 305. A PNG of 20 MB has
#: 4,900 chunks as ffmpeg writes it, of 4 KiB each, half of that as libpng does; 20,000 take a tenth
#: of a second. A WebP has one for each picture of an animation.
MAX_PARTS: Final[Mapping[str, int]] = {"jpeg": 500, "png": 20_000, "webp": 5_000}
#: Progressive JPEG has about ten; each costs a pass over all pixels, and takes a few bytes only.
MAX_SCANS: Final = 100

_SCAN: Final = b"\xff\xda"
_EOI: Final = 0xD9
#: Markers that stand alone (ITU-T T.81, table B.1): a stuffed zero, TEM, restarts, start of image.
_ALONE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
#: What ends a scan: a marker that is neither a stuffed zero nor a restart; bytes may fill up to it.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def excess(content: bytes, container: str) -> str | None:
    """Say what an image has too much of, and how much is allowed.

    :param content: the file, untrusted; of a long one its first bytes
    :param container: ``jpeg``, ``png`` or ``webp``
    :return: a few words for people; None for an image that may be read
    """
    most = MAX_PARTS[container]
    starts = list(islice(_WALKS[container](content), most + 1))
    if len(starts) > most:
        return f"more than {most} parts"
    # Not searched for: the video behind a phone's photo holds the two bytes by chance.
    scans = sum(content.startswith(_SCAN, start) for start in starts)
    return f"{scans} scans, more than {MAX_SCANS}" if scans > MAX_SCANS else None


def _jpeg_parts(content: bytes) -> Iterator[int]:
    """Give where each segment starts; a byte that is none is a part, too, as Pillow skips it."""
    offset = 2
    while offset < len(content):
        yield offset
        marker = content[offset : offset + 2]
        if marker[:1] != b"\xff" or marker[1:] in (b"", b"\xff"):
            offset += 1
        elif marker[1] in _ALONE:
            offset += 2
        elif marker[1] == _EOI:
            return
        else:
            offset += 2 + max(2, int.from_bytes(content[offset + 2 : offset + 4], "big"))
        if marker == _SCAN:
            scan_end = _SCAN_END.search(content, offset)
            offset = scan_end.start() if scan_end else len(content)


def _png_parts(content: bytes) -> Iterator[int]:
    """Give where each chunk starts (ISO/IEC 15948, 5.3): length, type, content, checksum."""
    offset = 8
    while offset + 8 <= len(content) and content[offset + 4 : offset + 8] != b"IEND":
        yield offset
        offset += 12 + int.from_bytes(content[offset : offset + 4], "big")


def _webp_parts(content: bytes) -> Iterator[int]:
    """Give where each chunk starts (RFC 9649, 2.3), those of an animation's pictures left out."""
    offset, end = 12, 8 + int.from_bytes(content[4:8], "little")
    while offset + 8 <= min(end, len(content)):
        yield offset
        size = int.from_bytes(content[offset + 4 : offset + 8], "little")
        offset += 8 + size + size % 2


_WALKS: Final[Mapping[str, Callable[[bytes], Iterator[int]]]] = {
    "jpeg": _jpeg_parts,
    "png": _png_parts,
    "webp": _webp_parts,
}
