"""Where the data of a cut image end: Pillow only says that it cannot decode it."""

from __future__ import annotations

import re
from typing import Final

_SOS, _EOI = 0xDA, 0xD9
#: What ends a scan of JPEG: a marker that is neither a stuffed zero nor a restart.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_PNG_SIGNATURE_BYTES: Final = 8


def find_end(content: bytes, container: str) -> int | None:
    """Give where the data of a cut image end.

    :param content: the whole file, untrusted
    :param container: ``jpeg``, ``png`` or ``webp``
    :return: its length, if it ends before its last part does; None for one that has all parts, and
        for one that is damaged in another way
    """
    is_cut = {"jpeg": _is_cut_jpeg, "png": _is_cut_png, "webp": _is_cut_webp}[container](content)
    return len(content) if is_cut else None


def _is_cut_jpeg(content: bytes) -> bool:
    """Walk the segments (ITU-T T.81, B.1.1) to the end of the image."""
    offset = 2
    while offset + 4 <= len(content):
        if content[offset] != 0xFF or content[offset + 1] == _EOI:
            return False
        is_scan = content[offset + 1] == _SOS
        offset += 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
        if is_scan:
            scan_end = _SCAN_END.search(content, offset)
            offset = scan_end.start() if scan_end else len(content)
    return content[offset : offset + 2] != bytes((0xFF, _EOI))


def _is_cut_png(content: bytes) -> bool:
    """Walk the chunks (ISO/IEC 15948, 5.3): length, type, content, checksum."""
    offset = _PNG_SIGNATURE_BYTES
    while offset + 12 <= len(content):
        kind = content[offset + 4 : offset + 8]
        if kind == b"IEND" or not kind.isalpha():
            return False
        offset += 12 + int.from_bytes(content[offset : offset + 4], "big")
    return True


def _is_cut_webp(content: bytes) -> bool:
    """Compare the size of the RIFF chunk, which holds all (RFC 9649, 2.4)."""
    return 8 + int.from_bytes(content[4:8], "little") > len(content)
