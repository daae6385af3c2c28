"""One video file, opened by libav through a file object: its keyframes and its frames."""

from __future__ import annotations

import gc
import mmap
import re
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any, Final

import av
import av.error
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame

from reelflow.sandbox.inside.range_file import RangeFile, RangeRefusedError

_OPEN_MAX_PIXELS: Final = 16384 * 8640  # loose, so that "7680x4320" is measured and can be told
_DECODE_MAX_PIXELS: Final = 4096 * 4096
_MAX_STREAMS: Final = 64
_MAX_BROKEN_PACKETS: Final = 64
_MICROSECONDS: Final = 1_000_000


READ_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError, MemoryError)
"""What reading a broken place of a file raises; another place may be whole."""

# Bytes that one piece of work may read: a file without an index is read from its start on, and one
# piece must leave enough of the whole budget for the plain way.
_OPEN_BYTES: Final = 16 * 1024 * 1024
_KEYFRAME_BYTES: Final = 8 * 1024 * 1024
_FRAMES_BYTES: Final = 12 * 1024 * 1024
_MOMENTS_BYTES: Final = 4 * 1024 * 1024
# Beside a frame, decoding it takes its motion vectors and its packet.
_SPARE_BYTES: Final = 8 * 1024 * 1024
_MOST_BYTES_A_PIXEL: Final = 6


class NoPictureError(Exception):
    """No frame of the video can be decoded, or none without too much work or memory."""


class Video:
    """An opened file.

    :param format_name: libav's demuxer, never guessed from the bytes: what a demuxer of playlists
        would open is thereby out of reach
    """

    def __init__(self, file: RangeFile, format_name: str) -> None:
        self._file = file
        self._format_name = format_name
        self._is_costly_to_seek = False
        self.stream: Any = None
        self.container: Any = None
        self.reopen()
        tag = "" if self.stream is None else self.stream.metadata.get("rotate", "")
        #: Counter-clockwise degrees by the older tag, which counts clockwise.
        self.tag_rotation = -int(tag) if re.fullmatch(r"-?[0-9]{1,3}", tag) else 0

    def reopen(self) -> None:
        """Open the file anew: a read that failed leaves a container that reads no more.

        What its decoder held is given back first: of the largest pictures two do not fit.
        """
        if self.container is not None:
            self.stream = self.container = None
            gc.collect()  # they refer to each other
        self._file.seek(0)
        self._file.allow(_OPEN_BYTES)
        self.container = av.open(
            self._file,
            "r",
            format=self._format_name,
            options={"max_pixels": str(_OPEN_MAX_PIXELS)},
            container_options={"max_streams": str(_MAX_STREAMS)},
            metadata_errors="replace",
        )
        self.stream = next(filter(_is_video, self.container.streams), None)
        self._is_at_start = True

    @property
    def duration_s(self) -> float:
        """Give the length, zero when it is unknown."""
        return max(0, self.container.duration or 0) / _MICROSECONDS

    @property
    def stream_start_s(self) -> float:
        """Give when the picture starts, after the start of the file; zero when it is unknown."""
        start = self.stream.start_time
        return 0.0 if start is None else float(start * self._time_base - self._start)

    def first_moments_s(self, count: int) -> list[float]:
        """Give the times of the first packets, sorted; fewer where they are large or broken."""
        ticks: list[int] = []
        self._file.allow(_MOMENTS_BYTES)
        try:
            for packet in islice(self._packets(), count):
                ticks += [] if packet.pts is None else [packet.pts]
        except (NoPictureError, *READ_FAILURES):
            self.reopen()
        return [float(tick * self._time_base - self._start) for tick in sorted(ticks)]

    def keyframe(self, at_s: float) -> VideoFrame:
        """Give the keyframe at or before a moment, decoding nothing else.

        :raises NoPictureError: there is none that can be decoded
        """
        context = self._prepare(keyframes_only=True)
        self._seek(at_s, _KEYFRAME_BYTES)
        for packet in self._packets():
            if packet.is_keyframe:
                # The decoder may hold it back for frames to come: there are none.
                frames = _decode(context, packet) or _decode(context, None)
                if frames:
                    return frames[0]
                context.flush_buffers()
        raise NoPictureError("no keyframe can be decoded")

    def frames(self, from_s: float, *, cpu_s: float) -> Iterator[tuple[float, VideoFrame]]:
        """Decode all frames from the keyframe at or before a moment on, each with its moment.

        :param cpu_s: how long to compute
        :raises NoPictureError: it took longer, or takes more memory than there is
        """
        context = self._prepare(keyframes_only=False)
        self._seek(from_s, _FRAMES_BYTES)
        stops_at = time.process_time() + cpu_s
        room_bytes = _frame_bytes(context) + _SPARE_BYTES
        for packet in self._packets(with_flush=True):
            _check_room(room_bytes)
            for frame in _decode(context, packet):
                yield self.moment_s(frame), frame
            if time.process_time() > stops_at:
                raise NoPictureError(f"more than {cpu_s:g} s of computing")

    def moment_s(self, frame: VideoFrame) -> float:
        """Give a frame's time since the start of the file, in seconds."""
        # AVI has one time for each packet; what libav makes up beside it is a frame late.
        is_made_up = frame.pts is None or self._format_name == "avi"
        ticks = frame.dts if is_made_up else frame.pts
        return 0.0 if ticks is None else float(ticks * self._time_base - self._start)

    @property
    def sample_aspect(self) -> Fraction:
        """Give how much wider than high a pixel is shown."""
        aspect = self.stream.sample_aspect_ratio
        return aspect if aspect and Fraction(1, 16) <= aspect <= 16 else Fraction(1)

    @property
    def _time_base(self) -> Fraction:
        return Fraction(self.stream.time_base or Fraction(1, _MICROSECONDS))

    @property
    def _start(self) -> Fraction:
        return Fraction(max(0, self.container.start_time or 0), _MICROSECONDS)

    def _prepare(self, *, keyframes_only: bool) -> Any:
        context = None if self.stream is None else self.stream.codec_context
        if context is None:
            raise NoPictureError("there is no video that libav can decode")
        if context.width * context.height > _DECODE_MAX_PIXELS:
            raise NoPictureError(f"{context.width}x{context.height} pixels are too many")
        if not context.is_open:
            context.options = {"max_pixels": str(_DECODE_MAX_PIXELS)}
            context.thread_count = 1  # one frame gains nothing from threads, which cost memory
            for stream in self.container.streams:
                if stream.index != self.stream.index:
                    stream.discard = Discard.all
        # The decoder is not told: it only ever gets what is to be decoded, and dav1d reads its
        # skip_frame once, when it is opened.
        self.stream.discard = Discard.nonkey if keyframes_only else Discard.default
        return context

    def _seek(self, at_s: float, allowed_bytes: int) -> None:
        """Go to the keyframe before a moment, if the file has an index or is read that far."""
        if self._is_costly_to_seek and at_s > 0:
            raise NoPictureError("the file has no index")
        self._file.allow(allowed_bytes)
        if self._is_at_start and at_s == 0:
            return  # without an index, even to the start it may be a long way
        target = (Fraction(at_s) + self._start) / self._time_base
        try:
            self.container.seek(int(target), stream=self.stream)
        except RangeRefusedError:
            self._is_costly_to_seek = True
            raise
        except av.error.FFmpegError:  # no index reaches there: what comes first must do
            self.container.seek(0)

    def _packets(self, *, with_flush: bool = False) -> Iterator[Any]:
        self._is_at_start = False
        broken = 0
        for packet in self.container.demux(self.stream):
            if packet.size > 0 or with_flush:
                yield packet
            broken += packet.is_corrupt
            if broken > _MAX_BROKEN_PACKETS:
                raise NoPictureError("too many broken packets")


def _is_video(stream: Any) -> bool:
    return stream.type == "video" and not stream.disposition & Disposition.attached_pic


def _frame_bytes(context: Any) -> int:
    """Give what a frame takes in memory, or the most that it may take."""
    form = context.format
    if form is None:
        return int(context.width * context.height * _MOST_BYTES_A_PIXEL)
    return sum(part.width * part.height * ((part.bits + 7) // 8) for part in form.components)


def _check_room(wanted_bytes: int) -> None:
    """Make sure that there is memory before libav asks for it: without it, some decoders crash.

    :raises NoPictureError: the limit of the process is too near
    """
    try:
        mmap.mmap(-1, wanted_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        raise NoPictureError("reading it takes more memory than allowed") from error


def _decode(context: Any, packet: Any) -> list[VideoFrame]:
    """Decode; a packet that cannot be decoded has no frame, the next one may have."""
    try:
        frames: list[VideoFrame] = context.decode(packet)
    except av.error.InvalidDataError:
        return []
    return frames
