"""From a decoded frame to the picture a player shows: small, upright, in standard colours."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final, cast

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image, ImageFilter, JpegImagePlugin

from reelflow.media.child.tone import TABLE_SIZE, tone_table

MAX_SIDE_PX: Final = 640
_JPEG_QUALITY: Final = 85

# Pillow would load all its common plugins before it saves: a tenth of the child's start, and under
# the seal it could not. JPEG is all that is written here.
Image._initialized = 1

# ITU-T H.273: matrix coefficients and transfers.
_MATRICES: Final = {
    1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip
_PQ, _HLG = 16, 18
_HD_HEIGHT_PX: Final = 720  # from here on players take an unmarked picture for BT.709
_FULL_RANGE: Final = 2
_CANDELAS_AT_ONE: Final = 100  # the light that standard range shows as white
_DEFAULT_PEAK: Final = 10.0

# What turns and mirrors a picture as its display matrix asks.
_CLOCKWISE, _COUNTER_CLOCKWISE = Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_90


class PictureMaker:
    """Makes pictures of one video's frames; what they share is made once."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._tables: dict[tuple[int, float], ImageFilter.Color3DLUT] = {}

    def make(self, frame: VideoFrame, aspect: Fraction, rotation: float) -> Image.Image:
        """Make the picture, at most `MAX_SIDE_PX` a side and never enlarged.

        :param aspect: how much wider than high a pixel is shown
        :param rotation: counter-clockwise degrees, for a frame that carries no display matrix
        """
        is_hdr = frame.color_trc in (_PQ, _HLG)
        width, height = fitting_size(frame.width * aspect, frame.height)
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            src_colorspace=_matrix(frame, is_hdr),
            src_color_range=_range(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
            threads=1,
        )
        plane = small.planes[0]
        picture = Image.frombytes(
            "RGB", (width, height), bytes(plane), "raw", "RGB", plane.line_size, 1
        )
        if is_hdr:
            picture = picture.filter(self._table(frame))
        for turn in _turns(frame, rotation):
            picture = picture.transpose(turn)
        return picture

    def _table(self, frame: VideoFrame) -> ImageFilter.Color3DLUT:
        key = (int(frame.color_trc), _peak(frame))
        if key not in self._tables:
            self._tables[key] = ImageFilter.Color3DLUT(
                TABLE_SIZE, tone_table(is_pq=key[0] == _PQ, peak=key[1])
            )
        return self._tables[key]


def to_jpeg(picture: Image.Image) -> bytes:
    """Write a JPEG file that holds the pixels and nothing else."""
    written = io.BytesIO()
    picture.save(written, JpegImagePlugin.JpegImageFile.format, quality=_JPEG_QUALITY)
    return written.getvalue()


def fitting_size(width: Fraction | int, height: Fraction | int) -> tuple[int, int]:
    """Give even sides of the same shape, at most `MAX_SIDE_PX` and not larger than it is."""
    factor = min(Fraction(1), Fraction(MAX_SIDE_PX) / max(width, height))
    sides = [max(2, int(side * factor) // 2 * 2) for side in (width, height)]
    return sides[0], sides[1]


def _matrix(frame: VideoFrame, is_hdr: bool) -> Colorspace:
    guess = Colorspace.ITU709 if frame.height >= _HD_HEIGHT_PX else Colorspace.ITU601
    return _MATRICES.get(int(frame.colorspace), Colorspace.BT2020 if is_hdr else guess)


def _range(frame: VideoFrame) -> ColorRange:
    is_full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if is_full else ColorRange.MPEG


def _peak(frame: VideoFrame) -> float:
    """Give the brightest light of the video over white's, as ffmpeg's tonemap filter finds it."""
    content = _side_data(frame, Type.CONTENT_LIGHT_LEVEL)
    if len(content) >= 8:
        brightest = struct.unpack_from("=I", content)[0]
        if brightest:
            return float(max(1, brightest / _CANDELAS_AT_ONE))
    display = _side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    if len(display) >= 88:  # 8 ratios of colours, 2 of light, 2 flags
        *_, over, under, _, has_light = struct.unpack_from("=22i", display)
        if has_light and under > 0 and over > 0:
            return float(max(1.0, over / under / _CANDELAS_AT_ONE))
    return _DEFAULT_PEAK


def _turns(frame: VideoFrame, rotation: float) -> Sequence[Image.Transpose]:
    """Give what the display matrix does to the picture, in steps, as the ffmpeg program does."""
    data = _side_data(frame, Type.DISPLAYMATRIX)
    matrix = struct.unpack_from("=9i", data) if len(data) >= 36 else None
    clockwise = round(-(frame.rotation if matrix or frame.rotation else rotation)) % 360
    mirrored = matrix is not None and matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0
    if abs(clockwise - 90) <= 1:
        return [Image.Transpose.TRANSPOSE if mirrored else _CLOCKWISE]
    if abs(clockwise - 270) <= 1:
        return [Image.Transpose.TRANSVERSE if mirrored else _COUNTER_CLOCKWISE]
    flips = []
    if matrix is not None and matrix[0] < 0:
        flips.append(Image.Transpose.FLIP_LEFT_RIGHT)
    if matrix is not None and matrix[4] < 0:
        flips.append(Image.Transpose.FLIP_TOP_BOTTOM)
    return flips if matrix or clockwise != 180 else [Image.Transpose.ROTATE_180]


def _side_data(frame: VideoFrame, kind: Type) -> bytes:
    """Give one kind of it, none at all of a frame that also has a kind that av does not name."""
    try:
        found = cast("Iterable[Any]", frame.side_data)  # whatever its stubs say
    except ValueError:
        return b""
    return next((bytes(one) for one in found if one.type is kind), b"")
