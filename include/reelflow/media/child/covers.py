"""Which frames become covers: a good keyframe, an exact moment, or several across the video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final

from av.video.frame import VideoFrame
from PIL import Image

from reelflow.media.child.judge import judge
from reelflow.media.child.picture import PictureMaker, to_jpeg
from reelflow.media.child.video import READ_FAILURES, NoPictureError, Video

_FIRST_POSITION: Final = 0.3  # of the duration: past titles and fades
_LATEST_FIRST_S: Final = 60.0
_OTHER_POSITIONS: Final = (0.5, 0.7, 0.15, 0.9)
_SEARCH_STEP_S: Final = 1.0
_SEARCH_CPU_S: Final = 4.0
_EXACT_CPU_S: Final = 12.0
_SPREAD_CPU_S: Final = 4.0
_FALLBACK_CPU_S: Final = 5.0
_ROUNDING_S: Final = 1e-4  # of a moment that was given in whole milliseconds


@dataclass(frozen=True)
class Cover:
    """One picture.

    :param at_s: seconds from the start
    """

    at_s: float
    jpeg: bytes
    width: int
    height: int


def choose_cover(video: Video, maker: PictureMaker, at_s: float | None) -> Cover:
    """Make the cover: of the exact moment, or without one of a good frame.

    :raises NoPictureError: no frame can be decoded
    """
    found = _good_frame(video, maker) if at_s is None else _exact(video, maker, at_s)
    moment_s, picture = found or _first(video, maker)
    return _cover(moment_s, picture)


def spread_covers(video: Video, maker: PictureMaker, count: int) -> list[Cover]:
    """Make up to `count` different pictures from all over the video, in their order.

    Of a video with fewer keyframes the frames between are decoded, as long as that is cheap.

    :raises NoPictureError: no frame can be decoded
    """
    wanted_s = [video.duration_s * (number + 0.5) / count for number in range(count)]
    pictures: dict[float, Image.Image] = {}
    open_s: dict[float, list[float]] = {}  # by the keyframe they share with an earlier picture
    for at_s in wanted_s:
        frame = _keyframe(video, at_s)
        if frame is None:
            continue
        moment_s = video.moment_s(frame)
        if moment_s in pictures:
            open_s.setdefault(moment_s, []).append(at_s)
        else:
            pictures[moment_s] = _picture(video, maker, frame)
    frame = None  # it belongs to the decoder, too
    if open_s or not pictures:
        video.reopen()  # for the memory that keyframes, and a cover before, took
    # No keyframe at all: the only one may lie before what is shown of a video that was trimmed.
    for moments_s in open_s.values() if pictures else [wanted_s]:
        pictures |= _between(video, maker, moments_s)
    if not pictures:
        pictures = dict([_first(video, maker)])
    return [_cover(moment_s, pictures[moment_s]) for moment_s in sorted(pictures)]


def _between(video: Video, maker: PictureMaker, moments_s: list[float]) -> dict[float, Image.Image]:
    """Decode once through some moments that follow one keyframe; too much work ends it early."""
    pictures: dict[float, Image.Image] = {}
    waiting = iter(moments_s)
    try:
        wanted_s = next(waiting)
        for moment_s, frame in video.frames(wanted_s, cpu_s=_SPREAD_CPU_S):
            if moment_s >= wanted_s:
                pictures[moment_s] = _picture(video, maker, frame)
                wanted_s = next(waiting)
    except (NoPictureError, StopIteration, *READ_FAILURES):
        return pictures
    return pictures


def _good_frame(video: Video, maker: PictureMaker) -> tuple[float, Image.Image] | None:
    """Give the first frame that is neither black nor blurred, or else the best of all looked at."""
    best: tuple[float, float, Image.Image] | None = None
    for moment_s, picture in chain(_keyframes(video, maker), _later_frames(video, maker)):
        judgement = judge(picture)
        if judgement.is_good:
            return moment_s, picture
        if best is None or judgement.score > best[0]:
            best = judgement.score, moment_s, picture
    return best and best[1:]


def _keyframes(video: Video, maker: PictureMaker) -> Iterator[tuple[float, Image.Image]]:
    """Give different keyframes from all over the video; none where the first is not to be had."""
    seen_s: set[float] = set()
    for at_s in (_first_s(video), *(position * video.duration_s for position in _OTHER_POSITIONS)):
        frame = _keyframe(video, at_s)
        if frame is None and not seen_s:
            return
        if frame is not None and video.moment_s(frame) not in seen_s:
            seen_s.add(video.moment_s(frame))
            yield video.moment_s(frame), _picture(video, maker, frame)


def _later_frames(video: Video, maker: PictureMaker) -> Iterator[tuple[float, Image.Image]]:
    """Give a frame a second behind a keyframe: short clips often have but one, and begin black."""
    next_s = 0.0
    try:
        for moment_s, frame in video.frames(_first_s(video), cpu_s=_SEARCH_CPU_S):
            if moment_s >= next_s:
                yield moment_s, _picture(video, maker, frame)
                next_s = moment_s + _SEARCH_STEP_S
    except (NoPictureError, *READ_FAILURES):
        video.reopen()  # for the memory that the frames between took


def _first_s(video: Video) -> float:
    return min(_FIRST_POSITION * video.duration_s, _LATEST_FIRST_S)


def _exact(video: Video, maker: PictureMaker, at_s: float) -> tuple[float, Image.Image] | None:
    """Give the first frame from the moment on, the keyframe before it where that is too much work.

    Behind the end there is none.
    """
    with suppress(NoPictureError, *READ_FAILURES):
        return _first_from(video, maker, at_s)
    video.reopen()  # for the memory that the frames between took
    frame_before = _keyframe(video, at_s)
    if frame_before is None:
        return None
    return video.moment_s(frame_before), _picture(video, maker, frame_before)


def _first_from(video: Video, maker: PictureMaker, at_s: float) -> tuple[float, Image.Image] | None:
    for moment_s, frame in video.frames(at_s, cpu_s=_EXACT_CPU_S):
        if moment_s >= at_s - _ROUNDING_S:
            return moment_s, _picture(video, maker, frame)
    return None


def _first(video: Video, maker: PictureMaker) -> tuple[float, Image.Image]:
    video.reopen()
    for moment_s, frame in video.frames(0, cpu_s=_FALLBACK_CPU_S):
        return moment_s, _picture(video, maker, frame)
    raise NoPictureError("libav finds no picture in it")


def _keyframe(video: Video, at_s: float) -> VideoFrame | None:
    try:
        return video.keyframe(at_s)
    except (NoPictureError, *READ_FAILURES):
        return None


def _picture(video: Video, maker: PictureMaker, frame: VideoFrame) -> Image.Image:
    return maker.make(frame, video.sample_aspect, video.tag_rotation)


def _cover(moment_s: float, picture: Image.Image) -> Cover:
    return Cover(moment_s, to_jpeg(picture), picture.width, picture.height)
