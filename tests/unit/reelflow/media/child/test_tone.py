import pytest

from reelflow.media.child.tone import TABLE_SIZE, tone_table


def grey(table: list[float], step: int) -> tuple[float, float, float]:
    place = 3 * (step * (1 + TABLE_SIZE + TABLE_SIZE**2))
    red, green, blue = table[place : place + 3]
    return red, green, blue


@pytest.mark.parametrize("is_pq", [True, False])
def test_black_stays_black_and_grey_stays_grey_and_grows(is_pq: bool) -> None:
    table = tone_table(is_pq=is_pq, peak=10.0)
    assert len(table) == 3 * TABLE_SIZE**3
    shown = [grey(table, step) for step in range(TABLE_SIZE)]
    assert shown[0] == pytest.approx((0, 0, 0), abs=0.001)
    for red, green, blue in shown:
        assert (green, blue) == pytest.approx((red, red), abs=0.001)
    assert [red for red, _, _ in shown] == sorted(red for red, _, _ in shown)


def test_the_same_values_as_zimg_and_ffmpeg_found() -> None:
    # setparams=...:color_trc=smpte2084, zscale=t=linear:npl=100, zscale=p=bt709,
    # tonemap=hable:desat=0, zscale=t=bt709 of ffmpeg 5.1 on grey 0.5
    assert grey(tone_table(is_pq=True, peak=10.0), 16)[0] == pytest.approx(0.60006, abs=1e-4)


def test_the_brightest_light_of_hlg_is_white() -> None:
    assert grey(tone_table(is_pq=False, peak=10.0), TABLE_SIZE - 1)[0] == pytest.approx(1, abs=1e-6)
