"""Whether a picture is worth showing: not black, not one flat colour, not blurred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageFilter, ImageStat

_LUMA_SIDE_PX: Final = 256
_DARK_LUMA: Final = 32  # below it a pixel is black to the eye, noise of dark scenes included
_MAX_DARK_SHARE: Final = 0.97
_MIN_CONTRAST: Final = 6.0  # standard deviation of the luma; a fade or a blank wall has less
_MIN_SHARPNESS: Final = 0.04  # detail over contrast; measured, see the tests


@dataclass(frozen=True)
class Judgement:
    """What was measured.

    :param dark_share: of the pixels
    :param contrast: standard deviation of the luma, of 255
    :param sharpness: how much of the contrast is fine detail
    """

    dark_share: float
    contrast: float
    sharpness: float

    @property
    def is_good(self) -> bool:
        """Say whether no other picture need be looked for."""
        return (
            self.dark_share < _MAX_DARK_SHARE
            and self.contrast >= _MIN_CONTRAST
            and self.sharpness >= _MIN_SHARPNESS
        )

    @property
    def score(self) -> float:
        """Rank pictures that are all bad: what shows most is best."""
        return self.contrast * self.sharpness * (1 - self.dark_share)


def judge(picture: Image.Image) -> Judgement:
    """Measure the small luma of a picture."""
    luma = picture.convert("L")
    luma.thumbnail((_LUMA_SIDE_PX, _LUMA_SIDE_PX), Image.Resampling.BOX, reducing_gap=None)
    histogram = luma.histogram()
    contrast = ImageStat.Stat(luma).stddev[0]
    detail = ImageChops.difference(luma, luma.filter(ImageFilter.BoxBlur(1)))
    return Judgement(
        dark_share=sum(histogram[:_DARK_LUMA]) / sum(histogram),
        contrast=contrast,
        sharpness=ImageStat.Stat(detail).rms[0] / max(contrast, 1.0),
    )
