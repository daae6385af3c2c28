"""Opening and shrinking images with Pillow: the only module that imports it."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

from PIL import Image, ImageOps

from reelflow.exceptions import MediaRejectedError

# By name, so that Pillow's rarer decoders, where its security bugs live, never see the file.
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 4096 * 4096
JPEG_QUALITY = 85

_GLANCE_PX = (64, 64)
_MAX_PROFILE_BYTES = 1024 * 1024  # display profiles have some kilobytes
_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = frozenset({5, 6, 7, 8})  # its values that swap width and height

# What Pillow was seen to raise on 14 600 damaged images; it documents only OSError.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    IndexError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # raised where warnings are errors
)


def shrink_image(source: BinaryIO, *, max_side_px: int) -> tuple[bytes, tuple[int, int]]:
    """Decode an untrusted image once, turn it upright and shrink it to a JPEG.

    No metadata of the source is kept. Smaller images keep their size.

    :return: the JPEG file, and its width and height
    :raises MediaRejectedError: not a JPEG, PNG or WebP, too many pixels, or damaged
    """
    try:
        image = _open(source)
        # Shrink before turning: JPEG then decodes at a fraction of its size.
        image.thumbnail((max_side_px, max_side_px))
        profile = image.info.get("icc_profile")
        upright = _in_standard_colours(_opaque(ImageOps.exif_transpose(image)), profile)
    except _DECODE_ERRORS as error:
        raise _unreadable(f"the image cannot be decoded: {error}") from error
    upright.info.clear()  # Pillow would write comment and XMP from here
    written = io.BytesIO()
    upright.save(written, "JPEG", quality=JPEG_QUALITY)
    return written.getvalue(), upright.size


def measure_image(source: BinaryIO) -> dict[str, Any]:
    """Measure an untrusted image, decoding it once.

    :return: the fields of `MediaFacts` that an image has; ``probe_error`` if it is not a whole one
    """
    facts: dict[str, Any] = {}
    try:
        image = Image.open(source, formats=FORMATS)
        facts |= {"width": image.width, "height": image.height}
        if image.width * image.height <= MAX_PIXELS:  # of a PNG, EXIF alone decodes all pixels
            facts |= _shown_size(image)
            # At a fraction of its size, a JPEG that is cut shows it just as well.
            image.thumbnail(_GLANCE_PX)
    except _DECODE_ERRORS as error:
        facts["probe_error"] = _plain(error)
    return facts


def _shown_size(image: Image.Image) -> dict[str, int]:
    is_turned = image.getexif().get(_ORIENTATION) in _TURNED
    width, height = reversed(image.size) if is_turned else image.size
    return {"display_width": width, "display_height": height}


def _plain(error: Exception) -> str:
    """Return what Pillow says, which may quote the file, without what could act on a screen."""
    said = "".join(char for char in str(error) if char.isprintable())
    # Of what it cannot identify, Pillow tells the object it was given.
    return "the image cannot be decoded" if not said or "<_io." in said else said[:200]


def _open(source: BinaryIO) -> Image.Image:
    image = Image.open(source, formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:  # before any pixel is decoded
        raise _unreadable(f"{width}x{height} pixels are more than {MAX_PIXELS}")
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """Give RGB, with what was transparent in white: JPEG has no transparency."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    background = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(background, layered).convert("RGB")


def _in_standard_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB what was made for another screen; the profile itself is not kept.

    A profile that is broken, huge, or not of RGB changes nothing.
    """
    if not profile or len(profile) > _MAX_PROFILE_BYTES or profile[16:20] != b"RGB ":
        return image
    from PIL import ImageCms  # most images carry none

    try:
        wide = ImageCms.getOpenProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, wide, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, *_DECODE_ERRORS):
        return image
    return converted or image


def _unreadable(value: str) -> MediaRejectedError:
    fix = "export the image again as JPEG, PNG or WebP of at most 4096x4096"
    limit = "a whole JPEG, PNG or WebP image"
    violation = {"rule": "image", "value": value, "limit": limit, "fix": fix}
    return MediaRejectedError(f"No thumbnail: {value}; {fix}.", violations=[violation])
