"""Telling colour profiles that change nothing from those that viewers need, or that tell more."""

from __future__ import annotations

import io
from typing import Final

#: The largest profile that is looked at; the sRGB profile that most programs embed has 3144 bytes.
_MAX_BYTES: Final = 4096
#: Levels of 255 by which colours may differ: nobody sees them, and profiles of sRGB round so.
_TOLERANCE: Final = 2
#: Colours, tone curves and what the standard profiles hold beside them (ICC.1:2022, 9.2, and the
#: tags of ICC.1:2001-04 that it dropped). Others name the screen and its serial number.
_HARMLESS_TAGS: Final = frozenset(
    {
        *(b"desc", b"cprt", b"wtpt", b"bkpt", b"chad", b"chrm", b"lumi", b"meas", b"tech", b"view"),
        *(b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"dmnd", b"dmdd", b"vued", b"cicp"),
    }
)
_HEADER_BYTES, _ENTRY_BYTES = 128, 12
_CUBE_STEPS: Final = range(0, 256, 17)


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile of strangers shows all colours as sRGB does, and tells nothing else.

    What cannot be read, or is larger than such a profile is, does not.
    """
    if len(profile) > _MAX_BYTES or profile[16:20] != b"RGB " or not _has_harmless_tags(profile):
        return False
    from PIL import Image, ImageChops, ImageCms  # most images carry no profile

    cube = bytes(
        v for r in _CUBE_STEPS for g in _CUBE_STEPS for b in _CUBE_STEPS for v in (r, g, b)
    )
    colours = Image.frombytes("RGB", (len(cube) // 3, 1), cube)
    try:
        theirs = ImageCms.getOpenProfile(io.BytesIO(profile))
        standard = ImageCms.createProfile("sRGB")
        shown = ImageCms.profileToProfile(colours, theirs, standard, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    if shown is None:
        return False
    off = ImageChops.difference(colours, shown).tobytes()
    return max(off) <= _TOLERANCE


def _has_harmless_tags(profile: bytes) -> bool:
    table = profile[_HEADER_BYTES : _HEADER_BYTES + 4]
    first, count = _HEADER_BYTES + 4, int.from_bytes(table, "big")
    if first + count * _ENTRY_BYTES > len(profile):
        return False
    offsets = range(first, first + count * _ENTRY_BYTES, _ENTRY_BYTES)
    return all(profile[offset : offset + 4] in _HARMLESS_TAGS for offset in offsets)
