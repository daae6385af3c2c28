"""Answering the parent's questions about the one file."""

from __future__ import annotations

from typing import Any, Final

import av
import av.error

from reelflow.media.child.av_modules import load_all
from reelflow.media.child.covers import choose_cover, spread_covers
from reelflow.media.child.facts import describe
from reelflow.media.child.picture import PictureMaker
from reelflow.media.child.video import NoPictureError, Video
from reelflow.sandbox.inside import parent
from reelflow.sandbox.inside.range_file import RangeFile

load_all()

VERSION: Final = f"{av.ffmpeg_version_info} (av {av.__version__})"

FAILURES: Final = (
    av.error.FFmpegError, MemoryError, OSError, ValueError, ArithmeticError, LookupError,
    NoPictureError,
)  # fmt: skip
"""What a file was seen to raise. Anything else ends the process, which the parent survives."""


class Service:
    """One file, opened by the first question."""

    def __init__(self) -> None:
        self._video: Video | None = None
        self._maker = PictureMaker()

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Answer one question: a JSON object, and the pictures it tells of in their order."""
        try:
            return self._answer(question)
        except MemoryError as error:  # libav says as if it were the machine's
            raise NoPictureError("reading it takes more memory than allowed") from error

    def _answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if question["question"] == "open":
            file = RangeFile(parent.ask_range, question["size_bytes"])
            self._video = Video(file, question["format"])
            return {"facts": describe(self._video)}, []
        if self._video is None:
            raise ValueError("the file was not opened")
        if question["question"] == "cover":
            covers = [choose_cover(self._video, self._maker, question["at_s"])]
        else:
            covers = spread_covers(self._video, self._maker, question["count"])
        moments_s = [cover.at_s for cover in covers]
        return {"covers_at_s": moments_s}, [cover.jpeg for cover in covers]
