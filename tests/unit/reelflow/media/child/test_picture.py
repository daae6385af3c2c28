from fractions import Fraction

import pytest

from reelflow.media.child.picture import PictureMaker, fitting_size
from reelflow.media.child.video import Video
from reelflow.sandbox.inside.range_file import RangeFile
from tests import media_files


@pytest.mark.parametrize(
    ("shown", "fitting"),
    [
        ((1920, 1080), (640, 360)),
        ((1080, 1920), (360, 640)),
        ((Fraction(2560, 3), 480), (640, 360)),
        ((301, 171), (300, 170)),
        ((640, 360), (640, 360)),
        ((10000, 3), (640, 2)),
        ((1, 1), (2, 2)),
    ],
)
def test_the_shape_stays_and_nothing_is_enlarged(
    shown: tuple[Fraction, Fraction], fitting: tuple[int, int]
) -> None:
    assert fitting_size(*shown) == fitting


def test_a_frame_with_side_data_that_av_does_not_name_is_still_turned() -> None:
    data = media_files.unnamed_side_data_mov().read_bytes()
    video = Video(RangeFile(lambda offset, count: data[offset : offset + count], len(data)), "mov")
    frame = video.keyframe(0)
    with pytest.raises(ValueError, match="not a valid Type"):
        _ = frame.side_data
    picture = PictureMaker().make(frame, video.sample_aspect, video.tag_rotation)
    assert picture.size == (360, 640)
    red, _, blue = picture.getpixel((300, 100))  # type: ignore[misc]
    assert red > 150 > 100 > blue
