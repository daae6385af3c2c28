"""Images that ask for gigabytes or hours, and images that are another file as well."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from tests import media_files

_FULL_BYTES = 17_500_000  # what is larger is not taken in
#: What a browser, an unpacker, PHP or a shell would take a polyglot for.
MARKS = (b"<script>", b"PK\x03\x04", b"__HALT_COMPILER", b"#!/bin/sh", b"ftypisom")


def _zip() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("run.sh", "#!/bin/sh\n")
    return written.getvalue()


def photo(form: str = "JPEG", size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    """Return a plain image with enough in it to be decoded."""
    written = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(written, form, **options)
    return written.getvalue()


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _jpeg(segments: bytes) -> bytes:
    whole = photo()
    return whole[:2] + segments + whole[2:]


def _full(part: bytes) -> bytes:
    return part * (_FULL_BYTES // len(part))


def _png(width: int, height: int, *, colours: int = 6, bits: int = 8, before: bytes = b"") -> bytes:
    """Return a PNG of nothing but zeros, which pack a thousandfold; colours by their PNG number."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    line_bytes = 1 + (width * channels * bits + 7) // 8
    left, packer = line_bytes * min(height, 4096 * 4096), zlib.compressobj(6)
    packed = []
    while left > 0 and line_bytes < 2**27:
        packed.append(packer.compress(bytes(min(left, 2**20))))
        left -= 2**20
    pixels = b"".join(packed) + packer.flush()
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    palette = _chunk(b"PLTE", bytes(768)) if colours == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + before
        + palette
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def _declaring(width: int, height: int) -> bytes:
    """Return a JPEG whose frame header says that it is this large."""
    whole = photo()
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def _scans(count: int) -> bytes:
    whole = photo(progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * count + whole[-2:]


def _text_bomb() -> bytes:
    """Texts of a megabyte in a kilobyte each, one character of which makes all take four bytes."""
    text = zlib.compress(("a" * 1_000_000 + "\U0001f600").encode(), 9)
    keys = (b"k%d" % number for number in range(60))
    return b"".join(_chunk(b"iTXt", key + b"\0\1\0\0\0" + text) for key in keys)


def _zipped(kind: bytes, start: bytes, megabytes: int) -> bytes:
    return _chunk(kind, start + zlib.compress(bytes(megabytes * 2**20), 9))


def _webp(width: int, height: int, chunks: bytes, *, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    head = b"WEBPVP8X" + struct.pack("<I", 10) + bytes((flags, 0, 0, 0)) + sides
    return b"RIFF" + struct.pack("<I", len(head + chunks)) + head + chunks


def _animation(frames_bytes: int) -> bytes:
    """Return as many pictures of 4x4 as fit, on a canvas of 4096x4096."""
    picture = photo("WEBP", (4, 4), lossless=True)[12:]
    frame = bytes(6) + (3).to_bytes(3, "little") * 2 + b"\x64\0\0\0" + picture
    part = b"ANMF" + struct.pack("<I", len(frame)) + frame + bytes(len(frame) % 2)
    start = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return _webp(4096, 4096, start + part * (frames_bytes // len(part)), flags=2)


def _profile(steps: int) -> bytes:
    """Return a colour profile that names one step, a curve that changes nothing, many times."""
    curve = b"parf" + bytes(4) + struct.pack(">HHffff", 0, 0, 1.0, 1.0, 0.0, 0.0)
    curve = b"curf" + bytes(4) + struct.pack(">HH", 1, 0) + curve
    step = b"cvst" + bytes(4) + struct.pack(">HH", 3, 3)
    step += struct.pack(">II", 36, len(curve)) * 3 + curve
    place = struct.pack(">II", 16 + 8 * steps, len(step))
    tag = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, steps) + place * steps + step
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    first = 128 + 4 + 12 * 3
    entries = ((b"D2B0", first, tag), (b"A2B0", first, tag), (b"wtpt", first + len(tag), white))
    table = b"".join(name + struct.pack(">II", at, len(held)) for name, at, held in entries)
    body = struct.pack(">I", len(entries)) + table + tag + white
    head = struct.pack(">I", 128 + len(body)) + b"lcms\4\x30\0\0scnrRGB XYZ " + bytes(12) + b"acsp"
    return (head + bytes(28) + white[8:]).ljust(128, b"\0") + body


_TINY_EXIF = _segment(0xE1, b"Exif\0\0x")
_LONG_EXIF = _segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 30
_APNG = _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + _chunk(
    b"fcTL", struct.pack(">IIIIIHHBB", 0, 4096, 4096, 0, 0, 1, 1, 1, 1)
)

#: Each with what makes it. All are at most as large as an image that is taken in.
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "declares-65535.jpg": lambda: _declaring(65_535, 65_535),
    "declares-16384.jpg": lambda: _declaring(16_384, 16_384),
    "declares-4096.jpg": lambda: _declaring(4096, 4096),
    "empty-segments.jpg": lambda: _jpeg(_full(_segment(0xE5, b""))),
    "tiny-exif.jpg": lambda: _jpeg(_LONG_EXIF + _full(_TINY_EXIF)),
    "fill-bytes.jpg": lambda: _jpeg(_full(b"\xff")),
    "no-segments.jpg": lambda: _jpeg(_full(b"\xff\0")),
    "scans.jpg": lambda: _scans(300),
    "profile.jpg": lambda: photo(size=(1000, 1000), icc_profile=_profile(75_000)),
    "declares-2147483647.png": lambda: _png(2**31 - 1, 2**31 - 1),
    "declares-100000.png": lambda: _png(100_000, 100_000, colours=0, bits=1),
    "full-4096.png": lambda: _png(4096, 4096, bits=16),
    "one-pixel-wide.png": lambda: _png(1, 4096 * 4096, colours=0),
    "one-pixel-high.png": lambda: _png(4096 * 4096, 1),
    "private-chunks.png": lambda: _png(640, 480, before=_full(_chunk(b"prVt", b""))),
    "empty-pixel-chunks.png": lambda: _png(640, 480, before=_full(_chunk(b"IDAT", b""))),
    "text.png": lambda: _png(640, 480, before=_text_bomb()),
    "packed-text.png": lambda: _png(640, 480, before=_zipped(b"zTXt", b"k\0\0", 256)),
    "packed-profile.png": lambda: _png(640, 480, before=_zipped(b"iCCP", b"k\0\0", 256)),
    "animation.png": lambda: _png(4096, 4096, before=_APNG),
    "declares-16777216.webp": lambda: _webp(2**24, 2**24, photo("WEBP")[12:]),
    "declares-16000.webp": lambda: _webp(11_000, 16_000, photo("WEBP")[12:]),
    "animation.webp": lambda: _animation(_FULL_BYTES),
    "short-animation.webp": lambda: _animation(40_000),
    "chunks.webp": lambda: _webp(640, 480, photo("WEBP")[12:] + _full(b"ABCD\0\0\0\0")),
}

#: Each a whole image, which is taken in, and another file.
POLYGLOTS: Mapping[str, Callable[[], bytes]] = {
    "zip.jpg": lambda: photo() + _zip(),
    "html.jpg": lambda: photo() + b"<html><script>alert(1)</script>",
    "script.jpg": lambda: _jpeg(_segment(0xFE, b"*/=1;/*<script>alert(1)</script>")),
    "shell.jpg": lambda: _jpeg(_segment(0xFE, b"\n#!/bin/sh\nreboot\n")),
    "phar.jpg": lambda: _jpeg(_segment(0xFE, b"<?php __HALT_COMPILER(); ?>")),
    "zip.png": lambda: photo("PNG") + _zip(),
    "video.png": lambda: _png(
        640, 480, before=_chunk(b"viDe", media_files.h264_mp4().read_bytes())
    ),
    "html.png": lambda: _png(640, 480, before=_chunk(b"tEXt", b"a\0<script>alert(1)</script>")),
    "zip.webp": lambda: photo("WEBP") + _zip(),
    "html.webp": lambda: _webp(
        640, 480, photo("WEBP")[12:] + b"XMP \x10\0\0\0<script>alert(1)"
    ),
}  # fmt: skip

_SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>'

#: Each no image or video that Reelflow knows, under the name of one.
STRANGERS: Mapping[str, bytes] = {
    "svg.jpg": _SVG.encode(),
    "svg.mp4": _SVG.encode(),
    "xml.png": f'<?xml version="1.0"?>{_SVG}'.encode(),
    "pdf.jpg": b"%PDF-1.7\n" + photo(),
    "pdf.mp4": b"%PDF-1.7\n1 0 obj<</F(/etc/hostname)>>",
    "gif.jpg": photo("GIF"),
    "gif.mp4": photo("GIF"),
    "tiff.jpg": photo("TIFF"),
    "bmp.png": photo("BMP"),
    "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/hostname)(r)file",
    "zip.mp4": _zip(),
    "html.mp4": b"<html><script>alert(1)</script>",
    "shell.mp4": b"#!/bin/sh\nreboot\n",
    "mvg.jpg": b"push graphic-context\nimage over 0,0 9,9 'https://127.0.0.1/x'\n",
}
