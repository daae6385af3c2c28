"""What a JPEG or WebP file holds beside a plain picture, by its parts: nothing is decoded.

All that is not known to belong to a plain picture is told, so that what nobody thought of is not
passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reelflow.media.colour_profile import is_srgb

COMMENT: Final = "a comment"
EXIF: Final = "EXIF"
XMP: Final = "XMP"
IPTC: Final = "IPTC"
PROFILE: Final = "a colour profile that is not sRGB"
TRANSPARENCY: Final = "transparency"
ANIMATION: Final = "an animation"
UNUSUAL_COLOURS: Final = "colours that few viewers show right"
BEHIND_END: Final = "bytes behind its end"
MORE_PICTURES: Final = "more pictures"
OTHER_DATA: Final = "data for other programs"
UNUSUAL_PARTS: Final = "parts that a plain picture does not have"

_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
#: Baseline, extended and progressive frames (ITU-T T.81, table B.1), in which all JPEG files are.
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
#: Tables of Huffman codes and quantization, the restart interval, the head of a scan.
_PICTURE: Final = frozenset({0xC4, 0xDB, 0xDD, _SOS})
#: What ends a scan: a marker that is neither a stuffed zero nor a restart.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_APPLICATIONS: Final = {
    0xE1: ((b"Exif\0", EXIF), (b"http://ns.adobe.com/x", XMP)),
    0xE2: ((b"MPF\0", MORE_PICTURES),),
    0xED: ((b"Photoshop 3.0\0", IPTC),),
}
_ICC_SEGMENT: Final = b"ICC_PROFILE\0"
_WHOLE_ICC_SEGMENT: Final = _ICC_SEGMENT + b"\1\1"  # the first of one

_WEBP_EXTRAS: Final = {
    b"EXIF": EXIF,
    b"XMP ": XMP,
    b"ALPH": TRANSPARENCY,
    b"ANIM": ANIMATION,
    b"ANMF": ANIMATION,
}
_WEBP_ALPHA, _WEBP_ANIMATION = 0x10, 0x02  # flags of VP8X


def find_extras(content: bytes, container: str) -> list[str]:
    """Name what an image holds beside the picture, or shows in another way than plain sRGB.

    :param content: the whole file, untrusted
    :param container: ``jpeg`` or ``webp``
    :return: each once; nothing of a file that says no more than what viewers see
    """
    parts = _jpeg_extras(content) if container == "jpeg" else _webp_extras(content)
    return list(dict.fromkeys(parts))


def _jpeg_extras(content: bytes) -> Iterator[str]:
    """Walk the segments (ITU-T T.81, B.1.1), those between and behind the scans too."""
    offset, frames = 2, 0
    while True:
        marker, size = content[offset : offset + 2], content[offset + 2 : offset + 4]
        if marker == bytes((0xFF, _EOI)):
            break
        end = offset + 2 + int.from_bytes(size, "big")
        if marker[:1] != b"\xff" or end < offset + 4 or end > len(content):
            yield UNUSUAL_PARTS
            return
        kind = marker[1]
        frames += kind in _FRAMES
        yield from _segment_extras(kind, content[offset + 4 : end])
        scan_end = _SCAN_END.search(content, end) if kind == _SOS else None
        offset = scan_end.start() if scan_end else end
    if frames != 1:
        yield UNUSUAL_PARTS
    if offset + 2 != len(content):
        yield BEHIND_END


def _segment_extras(kind: int, segment: bytes) -> Iterator[str]:
    if kind in _FRAMES:
        # 8 bits each of grey, or of three colours; a fourth one is for print.
        if segment[:1] != b"\x08" or segment[5:6] not in (b"\1", b"\3"):
            yield UNUSUAL_COLOURS
    elif kind == _COM:
        yield COMMENT
    elif 0xE0 <= kind <= 0xEF:
        yield from _application_extras(kind, segment)
    elif kind not in _PICTURE:
        yield UNUSUAL_PARTS


def _application_extras(kind: int, segment: bytes) -> Iterator[str]:
    """Let pass what says how pixels are to be read: JFIF without its thumbnail, Adobe, sRGB."""
    if kind == 0xE0 and segment[:5] == b"JFIF\0" and len(segment) == 14:
        return
    if kind == 0xEE and segment[:5] == b"Adobe" and len(segment) == 12:
        return
    if kind == 0xE2 and segment.startswith(_ICC_SEGMENT):
        is_whole = segment.startswith(_WHOLE_ICC_SEGMENT)
        if not (is_whole and is_srgb(segment[len(_WHOLE_ICC_SEGMENT) :])):
            yield PROFILE
        return
    known = (name for head, name in _APPLICATIONS.get(kind, ()) if segment.startswith(head))
    yield next(known, OTHER_DATA)


def _webp_extras(content: bytes) -> Iterator[str]:
    """Walk the chunks (RFC 9649, 2.3)."""
    end = 8 + int.from_bytes(content[4:8], "little")
    offset, pictures = 12, 0
    while offset + 8 <= min(end, len(content)):
        kind, size = content[offset : offset + 4], content[offset + 4 : offset + 8]
        start = offset + 8
        offset = start + int.from_bytes(size, "little")
        pictures += kind in (b"VP8 ", b"VP8L")
        yield from _chunk_extras(kind, content[start:offset])
        offset += offset % 2
    if pictures != 1 or offset != end or end > len(content):
        yield UNUSUAL_PARTS
    if end < len(content):
        yield BEHIND_END


def _chunk_extras(kind: bytes, chunk: bytes) -> Iterator[str]:
    if kind == b"VP8X":
        flags = chunk[0] if chunk else 0
        if flags & _WEBP_ALPHA:
            yield TRANSPARENCY
        if flags & _WEBP_ANIMATION:
            yield ANIMATION
    elif kind == b"VP8L":
        # Behind the signature 14 bits each of width and height, then whether alpha is used.
        if int.from_bytes(chunk[1:5], "little") >> 28 & 1:
            yield TRANSPARENCY
    elif kind == b"ICCP":
        if not is_srgb(chunk):
            yield PROFILE
    elif kind != b"VP8 ":
        yield _WEBP_EXTRAS.get(kind, OTHER_DATA)
