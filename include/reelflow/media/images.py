"""Opening, turning and shrinking images of strangers with Pillow."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

from reelflow.domain.printable import printable
from reelflow.exceptions import MediaRejectedError
from reelflow.media.memory_fence import memory_fence

# By name, so that Pillow's rarer decoders, where its security bugs live, never see the file.
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 4096 * 4096
JPEG_QUALITY = 85

# 4096x4096 pixels with transparency take 64 MiB, of which an animated WebP needs four, beside its
# 20 MB twice; in a WebP of 300 kB, codes of its own for each 16 pixels would take 512 MiB and more.
_DECODING_BYTES = 304 * 1024 * 1024
# Of all texts of a PNG together, in characters of up to four bytes.
PngImagePlugin.MAX_TEXT_MEMORY = 16 * 1024 * 1024

_GLANCE_PX = (64, 64)
_MAX_ERROR_CHARS = 200
_MAX_PROFILE_BYTES = 1024 * 1024  # display profiles have some kilobytes
#: The type of a tag that lists steps (ICC.1:2022, 10.16), each in eight bytes: a profile of 600 kB
#: that names one step 75,000 times would take minutes. No camera or editor is known to embed one.
_ANY_STEPS = b"mpet"
#: The colours that a profile may be of, and the images it is for (ICC.1:2022, 7.2.6).
_PROFILED_MODES = {b"RGB ": "RGB", b"CMYK": "CMYK", b"GRAY": "L"}
_HIGH_BYTES = [value >> 8 for value in range(65536)]
_ORIENTATION = 0x0112  # the EXIF tag
#: How an image is turned to be upright, by the value of that tag (Exif 2.32, 4.6.5.1.6).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = frozenset({5, 6, 7, 8})  # those that swap width and height

# What Pillow was seen to raise on 14 600 damaged images; it documents only OSError.
_DECODE_ERRORS = (
    OSError,
    MemoryError,
    SyntaxError,
    ValueError,
    IndexError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # raised where warnings are errors
)
#: The same of 25 000 broken EXIF blocks.
_EXIF_ERRORS = (*_DECODE_ERRORS, TypeError, AttributeError, OverflowError)


def shrink_image(source: BinaryIO, *, max_side_px: int) -> tuple[bytes, tuple[int, int]]:
    """Make a small JPEG of an untrusted image; see :func:`decode_upright`.

    :return: the JPEG file, and its width and height
    :raises MediaRejectedError: not a JPEG, PNG or WebP, too many pixels, or damaged
    """
    picture = decode_upright(source, max_long_side_px=max_side_px, max_short_side_px=max_side_px)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY)
    return written.getvalue(), picture.size


def decode_upright(
    source: BinaryIO,
    *,
    max_long_side_px: int,
    max_short_side_px: int,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """Decode an untrusted image once: upright, opaque, in standard colours, shrunk to fit.

    Smaller images keep their size.

    :return: an RGB image that has no metadata of the source
    :raises MediaRejectedError: not a JPEG, PNG or WebP, too many pixels, or damaged
    """
    box = (max_long_side_px, max_short_side_px)
    try:
        with memory_fence(_DECODING_BYTES):
            image = _with_smooth_colours(_open(source))
            # Shrink before turning: JPEG then decodes at a fraction of its size.
            image.thumbnail(box if image.width >= image.height else box[::-1], resampling)
            profile = image.info.get("icc_profile")
            upright = _in_standard_colours(_opaque(_upright(image)), profile)
    except _DECODE_ERRORS as error:
        raise undecodable(f"the image cannot be decoded: {_plain(error)}") from error
    upright.info.clear()  # Pillow would write comment, profile and XMP from here
    return upright


def measure_image(source: BinaryIO, *, is_decoded: bool = True) -> dict[str, Any]:
    """Measure an untrusted image, decoding it once.

    :param is_decoded: False measures by its head alone
    :return: the fields of `MediaFacts` that an image has; ``probe_error`` if it is not a whole one
    """
    facts: dict[str, Any] = {}
    try:
        with memory_fence(_DECODING_BYTES):
            image = Image.open(source, formats=FORMATS)
            facts |= {"width": image.width, "height": image.height}
            # Of a PNG, EXIF alone decodes all pixels.
            if is_decoded and image.width * image.height <= MAX_PIXELS:
                facts |= _shown_size(image)
                # At a fraction of its size, a JPEG that is cut shows it just as well.
                image.draft(None, _GLANCE_PX)
                image.load()
    except _DECODE_ERRORS as error:
        facts["probe_error"] = _plain(error)
    return facts


def _shown_size(image: Image.Image) -> dict[str, int]:
    is_turned = _orientation(image) in _TURNED
    width, height = reversed(image.size) if is_turned else image.size
    return {"display_width": width, "display_height": height}


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF says; unlike Pillow's own way, without writing that EXIF again."""
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Return how an image lies; EXIF that cannot be read says nothing, as viewers take it.

    :raises OSError: as others of `_DECODE_ERRORS`: the pixels of a PNG, which come first, are cut
    """
    if image.format == "PNG":
        image.load()
    try:
        value = image.getexif().get(_ORIENTATION)
    except _EXIF_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _plain(error: Exception) -> str:
    """Return what Pillow says, which may quote the file, without what could act on a screen."""
    if isinstance(error, MemoryError):
        return "decoding it takes more memory than any real image does"
    said = printable(str(error), _MAX_ERROR_CHARS)
    # Of what it cannot identify, Pillow tells the object it was given.
    return "the image cannot be decoded" if not said or "<_io." in said else said


def _open(source: BinaryIO) -> Image.Image:
    image = Image.open(source, formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:  # before any pixel is decoded
        raise undecodable(f"{width}x{height} pixels are more than {MAX_PIXELS}")
    # A copy leaves behind what the decoder of WebP keeps for the next picture of an animation.
    return image.copy() if image.format == "WEBP" else image


def _with_smooth_colours(image: Image.Image) -> Image.Image:
    """Give what can be shrunk by mixing neighbours, which neither indexes nor 16 bits can."""
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I"):  # Pillow's own way to 8 bits makes all above 255 white
        grey = image.convert("I").point(_HIGH_BYTES, "L")
        grey.info = dict(image.info)
        if isinstance(see_through := grey.info.get("transparency"), int):  # one grey of 16 bits
            grey.info["transparency"] = see_through >> 8
        return grey
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """Lay what is transparent on white: JPEG has no transparency."""
    if not image.has_transparency_data:
        return image if image.mode in _PROFILED_MODES.values() else image.convert("RGB")
    layered = image.convert("RGBA")
    background = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(background, layered).convert("RGB")


def _in_standard_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB what was made for another screen or for print; the profile is not kept.

    A profile that is broken, huge, of other colours than the image's, or one whose steps may be as
    many as it likes, is not obeyed.
    """
    is_obeyed = profile and len(profile) <= _MAX_PROFILE_BYTES and _ANY_STEPS not in profile
    space = profile[16:20] if profile and is_obeyed else b""
    if _PROFILED_MODES.get(space) != image.mode:
        return image.convert("RGB")
    from PIL import ImageCms  # most images carry none

    try:
        theirs = ImageCms.getOpenProfile(io.BytesIO(profile or b""))
        standard = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, theirs, standard, outputMode="RGB")
    except (ImageCms.PyCMSError, *_DECODE_ERRORS):
        return image.convert("RGB")
    return converted or image.convert("RGB")


def undecodable(value: str) -> MediaRejectedError:
    """Return the error that refuses an image.

    :param value: what stands against it
    """
    fix = "export the image again as JPEG, PNG or WebP of at most 4096x4096"
    limit = "a whole JPEG, PNG or WebP image"
    violation = {"rule": "image", "value": value, "limit": limit, "fix": fix}
    return MediaRejectedError(f"No picture: {value}; {fix}.", violations=[violation])
