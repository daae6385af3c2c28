"""Mapping HDR colours to standard range: PQ and HLG, BT.2020's colours, Hable's curve.

The same mapping as ffmpeg's ``zscale=t=linear:npl=100``, ``zscale=p=bt709``,
``tonemap=hable:desat=0``, ``zscale=t=bt709``, of which the wheel's libav has tonemap alone. A table
of colours does it on the small picture: every step of the mapping is a function of one pixel.
"""

from __future__ import annotations

import math
from typing import Final

TABLE_SIZE: Final = 33

# SMPTE ST 2084.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_LIGHT: Final = 10_000 / 100  # of its brightest over white's
# ARIB STD-B67 on a display of 1000 candelas: system gamma 1.2, of each colour by itself, as zimg
# does it (BT.2100 takes it of the luminance).
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_LIGHT: Final = 1_000 / 100
_HLG_GAMMA: Final = 1.2
_TO_BT709: Final = (
    (1.660491, -0.587641, -0.072850),
    (-0.124550, 1.132900, -0.008349),
    (-0.018151, -0.100579, 1.118730),
)
_ENCODING: Final = 1 / 2.4  # BT.1886
_DARKEST: Final = 1e-6


def tone_table(*, is_pq: bool, peak: float) -> list[float]:
    """Give standard colours for `TABLE_SIZE` steps of red, green and blue, red the fastest.

    :param is_pq: PQ, or else HLG
    :param peak: the brightest light of the video, as a multiple of white's
    """
    steps = [step / (TABLE_SIZE - 1) for step in range(TABLE_SIZE)]
    light = [_pq_light(step) if is_pq else _hlg_light(step) for step in steps]
    (rr, rg, rb), (gr, gg, gb), (br, bg, bb) = _TO_BT709
    of_red = [(rr * red, gr * red, br * red) for red in light]
    white = _hable(peak)
    table: list[float] = []
    # Nothing is called for the 36,000 rows, which halves what a table costs.
    for blue in light:
        for green in light:
            r0, g0, b0 = rg * green + rb * blue, gg * green + gb * blue, bg * green + bb * blue
            for r1, g1, b1 in of_red:
                r, g, b = r0 + r1, g0 + g1, b0 + b1
                most = r if r > g else g
                if b > most:
                    most = b
                if most < _DARKEST:
                    most = _DARKEST
                # As _hable does it.
                curve = (most * (0.15 * most + 0.05) + 0.004) / (most * (0.15 * most + 0.5) + 0.06)
                scale = (curve - 0.02 / 0.3) / white / most
                r, g, b = r * scale, g * scale, b * scale
                # What lies outside keeps its side, so that the steps between blend well there too.
                table += (
                    r**_ENCODING if r > 0 else -((-r) ** _ENCODING),
                    g**_ENCODING if g > 0 else -((-g) ** _ENCODING),
                    b**_ENCODING if b > 0 else -((-b) ** _ENCODING),
                )
    return table


def _hable(light: float) -> float:
    return (light * (0.15 * light + 0.05) + 0.004) / (
        light * (0.15 * light + 0.5) + 0.06
    ) - 0.02 / 0.3


def _pq_light(signal: float) -> float:
    root = signal ** (1 / _M2)
    return math.pow(max(root - _C1, 0) / (_C2 - _C3 * root), 1 / _M1) * _PQ_LIGHT


def _hlg_light(signal: float) -> float:
    scene = signal * signal / 3 if signal <= 0.5 else (math.exp((signal - _C) / _A) + _B) / 12
    return float(scene**_HLG_GAMMA * _HLG_LIGHT)
