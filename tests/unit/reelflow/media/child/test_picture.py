from fractions import Fraction

import pytest

from reelflow.media.child.picture import fitting_size


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
