"""Videos that ask for gigabytes or hours: huge frames in few bytes, and absurd counts."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping

from reelflow.media import ebml
from tests import media_files

_SIDE_PX = 16_000  # beyond 16,383 not every codec can say it
_START_CODE = b"\0\0\0\1"


class _Bits:
    """The bits of an H.264 or HEVC parameter set, read and written as Exp-Golomb codes."""

    def __init__(self, unit: bytes) -> None:
        plain = unit.replace(b"\0\0\3", b"\0\0")  # emulation prevention
        self.text = "".join(f"{byte:08b}" for byte in plain)
        self.at = 0

    def skip_codes(self, count: int) -> None:
        for _ in range(count):
            zeros = self.text.index("1", self.at) - self.at
            self.at += 2 * zeros + 1

    def put_codes(self, *values: int) -> None:
        start = self.at
        self.skip_codes(len(values))
        codes = (f"{value + 1:b}" for value in values)
        written = "".join("0" * (len(code) - 1) + code for code in codes)
        self.text = self.text[:start] + written + self.text[self.at :]

    def unit(self) -> bytes:
        text = self.text + "0" * (-len(self.text) % 8)
        plain = int(text, 2).to_bytes(len(text) // 8, "big").rstrip(b"\0")
        written = bytearray()
        for byte in plain:
            if written[-2:] == b"\0\0" and byte <= 3:
                written.append(3)
            written.append(byte)
        return bytes(written)


def _huge_h264() -> bytes:
    """Patch the sides, in macroblocks, into a parameter set of the baseline profile."""

    def patch(unit: bytes) -> bytes:
        bits = _Bits(unit)
        bits.at = 32  # its type, the profile, what it keeps to, the level
        bits.skip_codes(4)  # number, frame numbers, order (2, which has no more), references
        bits.at += 1
        bits.put_codes(_SIDE_PX // 16 - 1, _SIDE_PX // 16 - 1)
        return bits.unit()

    options = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-pix_fmt", "yuv420p")
    return _with_patched_units("h264", options, lambda unit: unit[0] & 31 == 7, patch)


def _huge_hevc() -> bytes:
    def patch(unit: bytes) -> bytes:
        bits = _Bits(unit)
        bits.at = 16 + 8 + 96  # its type, numbers, the profile and the level
        bits.skip_codes(2)  # number, colours
        bits.put_codes(_SIDE_PX, _SIDE_PX)
        return bits.unit()

    options = ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p")
    return _with_patched_units("hevc", options, lambda unit: unit[0] >> 1 == 33, patch)


def _with_patched_units(
    form: str,
    options: tuple[str, ...],
    is_wanted: Callable[[bytes], bool],
    patch: Callable[[bytes], bytes],
) -> bytes:
    stream = media_files.folder() / f"huge.{form}"
    stream.write_bytes(_made(stream.name, *options, "-f", form))
    units = stream.read_bytes().replace(_START_CODE, _START_CODE[1:]).split(_START_CODE[1:])[1:]
    patched = (patch(unit) if is_wanted(unit) else unit for unit in units)
    stream.write_bytes(b"".join(_START_CODE + unit for unit in patched))
    path = stream.with_suffix(f".{form}.mp4")
    media_files.run_ffmpeg("-r", "30", "-i", str(stream), "-c", "copy", str(path))
    return path.read_bytes()


def _made(name: str, *options: str) -> bytes:
    path = media_files.folder() / name
    picture = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "1.2")
    media_files.run_ffmpeg(*picture, *options, str(path))
    return path.read_bytes()


def _huge_vp9() -> bytes:
    """Patch the sides of each keyframe, which follow its start code and half a byte."""
    content = bytearray(_made("huge-vp9.webm", "-c:v", "libvpx-vp9", *_FAST_VPX))
    sides = (_SIDE_PX - 1) << 16 | _SIDE_PX - 1
    at = content.find(b"\x49\x83\x42")
    while at >= 0:
        around = int.from_bytes(content[at + 3 : at + 8], "big")
        rest = 0xF << 36 | 0xF
        content[at + 3 : at + 8] = (around & rest | sides << 4).to_bytes(5, "big")
        at = content.find(b"\x49\x83\x42", at + 1)
    return bytes(content)


def _huge_vp8() -> bytes:
    head, form = b"\x9d\x01\x2a", "<HH"
    content = _made("huge-vp8.webm", "-c:v", "libvpx", *_FAST_VPX)
    huge = struct.pack(form, _SIDE_PX, _SIDE_PX)
    return content.replace(head + struct.pack(form, 640, 360), head + huge)


def _huge_mjpeg() -> bytes:
    head, form = b"\xff\xc0\x00\x11\x08", ">HH"
    content = _made("huge-mjpeg.avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    huge = struct.pack(form, _SIDE_PX, _SIDE_PX)
    return content.replace(head + struct.pack(form, 360, 640), head + huge)


def _huge_png() -> bytes:
    """Let each frame say that it is huge; to the container it stays 640x360."""
    content = _made("huge-png.mov", "-c:v", "png", "-pix_fmt", "rgb24")
    at = content.index(b"IHDR")
    head = b"IHDR" + struct.pack(">II", _SIDE_PX, _SIDE_PX) + content[at + 12 : at + 17]
    return content.replace(content[at : at + 21], head + struct.pack(">I", zlib.crc32(head)))


def _patched(tag: bytes, after: int, new: bytes) -> bytes:
    """Overwrite a field of the first box of a type, counted from behind the type."""
    content = media_files.h264_mp4().read_bytes()
    at = content.index(tag, content.index(b"moov")) + 4 + after
    return content[:at] + new + content[at + len(new) :]


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _around_moov(change: Callable[[bytes], bytes]) -> bytes:
    """Change the content of the index of a clip that has it last, so that no offset moves."""
    content = media_files.index_last_mp4().read_bytes()
    at = content.index(b"moov") - 4
    return content[:at] + _box(b"moov", change(content[at + 8 :]))


def _edits(count: int) -> bytes:
    """Put an edit list of so many entries, each for another moment, into the first track."""
    entries = b"".join(
        struct.pack(">IIHH", 2**31 - 1, number % 20_000, 1, 0) for number in range(count)
    )
    edits = _box(b"edts", _box(b"elst", struct.pack(">II", 0, count) + entries))

    def change(index: bytes) -> bytes:
        at = index.index(b"trak") - 4
        size = int.from_bytes(index[at : at + 4], "big")
        old = index.index(b"edts") - 4
        old_size = int.from_bytes(index[old : old + 4], "big")
        track = index[at + 8 : old] + edits + index[old + old_size : at + size]
        return index[:at] + _box(b"trak", track) + index[at + size :]

    return _around_moov(change)


def _fragments() -> bytes:
    """Append fragments of 2^32 - 1 samples that take no bytes each."""
    path = media_files.folder() / "fragmented.mp4"
    flags = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    media_files.run_ffmpeg("-i", str(media_files.h264_mp4()), "-c", "copy", *flags, str(path))
    head = _box(b"tfhd", struct.pack(">II", 0x20000, 1))
    run = _box(b"trun", struct.pack(">II", 0, 2**32 - 1))
    piece = _box(b"moof", _box(b"mfhd", bytes(8)) + _box(b"traf", head + run))
    return path.read_bytes() + (piece + _box(b"mdat", bytes(8))) * 100


def _mkv(find: bytes, new: bytes) -> bytes:
    content = media_files.h264_mkv().read_bytes()
    at = content.index(find) + len(find)
    return content[:at] + new + content[at + len(new) :]


def _mkv_tracks(count: int) -> bytes:
    """Declare so many tracks, before those that are there."""
    content = media_files.h264_mkv().read_bytes()
    at = content.index(b"\x16\x54\xae\x6b")
    held = ebml.read_element(content[at : at + 12])
    assert held is not None
    assert held.size is not None
    start = at + held.header_bytes
    track = b"\xae\x8d\xd7\x81\x09\x83\x81\x01\x86\x85V_VP8"
    tracks = track * count + content[start : start + held.size]
    head = b"\x16\x54\xae\x6b\x01" + len(tracks).to_bytes(7, "big")
    return _without_segment_size(content[:at]) + head + tracks + content[start + held.size :]


def _without_segment_size(head: bytes) -> bytes:
    at = head.index(b"\x18\x53\x80\x67") + 4
    return head[:at] + b"\x01" + b"\xff" * 7 + head[at + 8 :]


def _avi_index(count: int) -> bytes:
    content = media_files.mpeg4_avi().read_bytes()
    at = content.index(b"idx1")
    entry = content[at + 8 : at + 24]
    new = content[:at] + b"idx1" + struct.pack("<I", 16 * count) + entry * count
    return new[:4] + struct.pack("<I", len(new) - 8) + new[8:]


def _avi(tag: bytes, after: int, new: bytes) -> bytes:
    content = media_files.mpeg4_avi().read_bytes()
    at = content.index(tag) + len(tag) + after
    return content[:at] + new + content[at + len(new) :]


def _zip_behind() -> bytes:
    return media_files.h264_mp4().read_bytes() + b"PK\x03\x04" + bytes(26) + b"PK\x05\x06"


_FAST_VPX = ("-deadline", "realtime", "-cpu-used", "8")
_ALL = b"\xff\xff\xff\xff"

#: Each with what makes it.
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "frames-h264.mp4": _huge_h264,
    "frames-hevc.mp4": _huge_hevc,
    "frames-vp9.webm": _huge_vp9,
    "frames-vp8.webm": _huge_vp8,
    "frames-mjpeg.avi": _huge_mjpeg,
    "frames-png.mov": _huge_png,
    "sides.mp4": lambda: _patched(b"avc1", 24, struct.pack(">HH", 65_535, 65_535)),
    "compressed-index.mov": lambda: media_files.compressed_index_mov().read_bytes(),
    "tracks.mp4": lambda: _around_moov(lambda index: _box(b"trak", b"") * 50_000 + index),
    "tracks.mkv": lambda: _mkv_tracks(50_000),
    "samples-declared.mp4": lambda: _patched(b"stsz", 8, _ALL),
    "samples-of-a-byte.mp4": lambda: _patched(b"stsz", 4, b"\0\0\0\1" + _ALL),
    "times-declared.mp4": lambda: _patched(b"stts", 4, _ALL),
    "times.mp4": lambda: _patched(b"stts", 8, _ALL),
    "chunks-declared.mp4": lambda: _patched(b"stco", 4, _ALL),
    "chunk-of-all.mp4": lambda: _patched(b"stsc", 12, _ALL),
    "edits-declared.mp4": lambda: _patched(b"elst", 4, _ALL),
    "edits.mp4": lambda: _edits(1_000_000),
    "years.mp4": lambda: _patched(b"mvhd", 12, b"\0\0\0\1" + _ALL),
    "years-of-a-track.mp4": lambda: _patched(b"mdhd", 12, b"\0\0\0\1" + _ALL),
    "fragments.mp4": _fragments,
    "years.mkv": lambda: _mkv(b"\x44\x89\x88", struct.pack(">d", 1e300)),
    "no-number-of-years.mkv": lambda: _mkv(b"\x44\x89\x88", struct.pack(">d", float("nan"))),
    "index.avi": lambda: _avi_index(1_000_000),
    "rate.avi": lambda: _avi(b"vids", 16, b"\1\0\0\0" + _ALL),
    "format-declared.avi": lambda: _avi(b"strf", 0, b"\xff\xff\xff\x7f"),
    "zip-behind.mp4": _zip_behind,
}
