"""Real videos of any size that cost no disk: each frame is padded with zeros, which are holes.

The padding is a NAL unit of filler data (ISO/IEC 14496-10, 7.4.1: type 12, which decoders drop), so
a player reads the whole of a frame, and shows the picture of the small video that it comes from.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tests import media_files

_HOLDS_BOXES = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_FILLER_DATA = b"\x0c"


@cache
def minute_mp4() -> Path:
    """A minute of 640x360 H.264 and AAC with a keyframe each second: two seconds, repeated."""
    clip, path = media_files.folder() / "two-seconds.mp4", media_files.folder() / "minute.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30")
    media_files.run_ffmpeg(*picture, *sound, "-t", "2", *h264, "-c:a", "aac", str(clip))
    media_files.run_ffmpeg("-stream_loop", "29", "-i", str(clip), "-c", "copy", str(path))
    return path


def make_sparse(path: Path, *, size_bytes: int, faststart: bool) -> Path:
    """Write the minute as a file of about a size, with its frames all over it.

    :param size_bytes: below 4 GiB; the file lacks less than a byte a frame of it
    :param faststart: whether the index comes before the media data
    """
    video = minute_mp4().read_bytes()
    boxes = {kind: video[start:end] for kind, start, end in _boxes(video, 0, len(video))}
    head, index = boxes[b"ftyp"], bytearray(boxes[b"moov"])
    tracks = list(_tracks(index))
    frames = sum(len(track.sizes) for track in tracks if track.is_video)
    media_bytes = sum(sum(track.sizes) for track in tracks)
    filler_bytes = (size_bytes - len(head) - len(index) - 8 - media_bytes) // frames
    data_at = len(head) + (len(index) if faststart else 0)
    with path.open("wb") as file:
        file.write(head)
        file.seek(data_at + 8)
        _write_chunks(file, video, index, tracks, filler_bytes)
        end = file.tell()
        file.seek(data_at)
        file.write(struct.pack(">I4s", end - data_at, b"mdat"))
        file.seek(len(head) if faststart else end)
        file.write(index)
        file.truncate(max(end, file.tell()))
    return path


@dataclass
class _Track:
    """What a track's tables say, and where in the index they lie."""

    is_video: bool
    sizes: list[int]
    sizes_at: int
    chunk_offsets: list[int]
    chunk_offsets_at: int
    chunk_samples: list[range]


def _write_chunks(
    file: BinaryIO, video: bytes, index: bytearray, tracks: list[_Track], filler_bytes: int
) -> None:
    """Write all chunks in their order, and into the index where they lie now."""
    chunks = sorted(
        (offset, number, track_number)
        for track_number, track in enumerate(tracks)
        for number, offset in enumerate(track.chunk_offsets)
    )
    for offset, number, track_number in chunks:
        track = tracks[track_number]
        struct.pack_into(">I", index, track.chunk_offsets_at + 4 * number, file.tell())
        for sample in track.chunk_samples[number]:
            size = track.sizes[sample]
            file.write(video[offset : offset + size])
            offset += size
            if track.is_video:
                file.write(struct.pack(">I", filler_bytes - 4) + _FILLER_DATA)
                file.seek(filler_bytes - 5, 1)
                struct.pack_into(">I", index, track.sizes_at + 4 * sample, size + filler_bytes)


def _tracks(index: bytes) -> Iterator[_Track]:
    for kind, start, end in _boxes(index, 8, len(index)):
        if kind != b"trak":
            continue
        inner = {kind: start + 8 for kind, start, _ in _boxes(index, start + 8, end)}
        sizes_at, offsets_at = inner[b"stsz"] + 12, inner[b"stco"] + 8
        sizes = _numbers(index, sizes_at)
        offsets = _numbers(index, offsets_at)
        handler = index[inner[b"hdlr"] + 8 : inner[b"hdlr"] + 12]
        chunks = list(_samples_of_chunks(index, inner[b"stsc"] + 8, len(offsets)))
        yield _Track(handler == b"vide", sizes, sizes_at, offsets, offsets_at, chunks)


def _samples_of_chunks(index: bytes, runs_at: int, chunks: int) -> Iterator[range]:
    """Read the table that says how many samples each chunk has, in runs of equal ones."""
    numbers = _numbers(index, runs_at, per_entry=3)
    runs = [*zip(numbers[::3], numbers[1::3], strict=True), (chunks + 1, 0)]
    sample = 0
    for (first, count), (next_first, _) in itertools.pairwise(runs):
        for _ in range(first, next_first):
            yield range(sample, sample + count)
            sample += count


def _numbers(index: bytes, at: int, *, per_entry: int = 1) -> list[int]:
    """Read a table of 32-bit numbers; how many entries it has stands before it."""
    (count,) = struct.unpack_from(">I", index, at - 4)
    return list(struct.unpack_from(f">{count * per_entry}I", index, at))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give type, start and end of each box, those that hold others followed by what they hold."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start, start + size
        if kind in _HOLDS_BOXES:
            yield from _boxes(data, start + 8, start + size)
        start += size
