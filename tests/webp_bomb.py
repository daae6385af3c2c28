"""A small WebP that is valid and takes 512 MiB to decode: codes of their own for each 16 pixels."""

from __future__ import annotations

import struct

_SIDE_PX = 4096
_BLOCK_BITS = 4
_BLOCKS = (_SIDE_PX >> _BLOCK_BITS) ** 2


class _Bits:
    """Bits as WebP packs them: the least significant first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def write(self, value: int, count: int) -> None:
        self._bits.append(f"{value:0{count}b}"[::-1])

    def packed(self) -> bytes:
        bits = "".join(self._bits)
        return int(bits[::-1], 2).to_bytes(len(bits) // 8 + 1, "little")


def webp_bomb() -> bytes:
    """Return the file (RFC 9649, 3.7): 65 536 groups of five codes, each of a single symbol."""
    bits = _Bits()
    for value, count in ((0x2F, 8), (_SIDE_PX - 1, 14), (_SIDE_PX - 1, 14), (1, 1), (0, 3)):
        bits.write(value, count)
    bits.write(0b100, 3)  # no transform, no colour cache, codes by blocks
    bits.write(_BLOCK_BITS - 2, 3)
    bits.write(0, 1)  # no colour cache in the image that gives each block its group, either
    _write_byte_code(bits, symbols_are_told=True)  # green has lengths beside its 256 values
    _write_byte_code(bits, symbols_are_told=False)
    for _ in ("blue", "alpha", "distance"):
        bits.write(0b0001, 4)
    for group in range(_BLOCKS):
        for half in (group & 0xFF, group >> 8):
            bits.write(int(f"{half:08b}"[::-1], 2), 8)
    for _ in range(_BLOCKS):
        bits.write(0b0001_0001_0001_0001_0001, 20)
    image = bits.packed()
    image += bytes(len(image) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(image)) + image
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _write_byte_code(bits: _Bits, *, symbols_are_told: bool) -> None:
    """Write a code in which each byte has 8 bits."""
    bits.write(0, 1)
    lengths = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8)  # in the order in which they are written
    bits.write(len(lengths) - 4, 4)
    for length in lengths:
        bits.write(length in (0, 8), 3)
    bits.write(symbols_are_told, 1)
    if symbols_are_told:
        bits.write(3, 3)
        bits.write(256 - 2, 8)
    for _ in range(256):
        bits.write(1, 1)
