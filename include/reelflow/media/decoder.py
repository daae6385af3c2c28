"""Asking libav about one source: its facts, then covers, all in one child process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from reelflow.exceptions import MediaToolError
from reelflow.media.jpeg import read_jpeg_size
from reelflow.sandbox.conversation import Conversation, LibraryBrokenError, open_conversation
from reelflow.sandbox.program import LibraryMissingError, Limits, Program
from reelflow.source import BytesSource, Source

DEMUXERS: Final[Mapping[str, str]] = {
    "mp4": "mov",
    "mov": "mov",
    "mkv": "matroska",
    "webm": "matroska",
    "avi": "avi",
}
"""libav's demuxer for each container that `sniff` names."""

DECODER_MISSING: Final = "decoder_missing"
"""Code of the error that says that no child can decode on this machine."""

LIBAV: Final = Program(
    library="libav",
    service="reelflow.media.child.service",
    packages=("av", "PIL"),
    limits=Limits(
        wall_clock_s=40,
        cpu_s=30,
        # With libraries that are mapped and never read, it takes 320 MiB of memory, and its parent
        # 70. That holds a keyframe of any 4096x4096 video twice over; where the reference frames of
        # an exact moment do not fit, the keyframe before it is the cover. A 2 MB file with a
        # compressed index would take 2 GiB.
        address_space_bytes=408 * 1024 * 1024,
    ),
)
"""What decodes videos."""

MAX_SIDE_PX: Final = 640
MAX_COVERS: Final = 8


@dataclass(frozen=True)
class Cover:
    """A JPEG file without metadata, at most `MAX_SIDE_PX` a side.

    :param at_s: the moment it shows, in seconds from the start
    """

    at_s: float
    jpeg: bytes
    width: int
    height: int


class Decoder:
    """Libav with one source open. Any of its methods may raise `MediaToolError`, too."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def open(self, container: str) -> Any:
        """Let it open the source.

        :return: what it tells about it: not checked yet, see `reelflow.media.probe`
        :raises FileRefusedError: libav refuses the file
        """
        return self._conversation.ask("open", format=DEMUXERS[container]).get("facts")

    def cover(self, at_s: float | None = None) -> Cover:
        """Make the cover: of a moment, or of a good frame.

        :raises FileRefusedError: no frame can be decoded
        """
        covers = self._covers(self._conversation.ask("cover", at_s=at_s), most=1)
        return covers[0]

    def candidates(self, count: int) -> list[Cover]:
        """Make up to `count` pictures from all over the video, to choose a cover from.

        :raises FileRefusedError: no frame can be decoded
        """
        most = min(count, MAX_COVERS)
        return self._covers(self._conversation.ask("candidates", count=most), most=most)

    def _covers(self, told: Mapping[str, Any], *, most: int) -> list[Cover]:
        moments_s = told.get("covers_at_s")
        if not isinstance(moments_s, list) or not 1 <= len(moments_s) <= most:
            raise self._conversation.nonsense()
        covers = []
        for at_s in moments_s:
            jpeg = self._conversation.receive_attachment()
            size = read_jpeg_size(jpeg)
            is_moment = isinstance(at_s, float) and 0 <= abs(at_s) < 1e9
            if size is None or max(size) > MAX_SIDE_PX or not is_moment:
                raise self._conversation.nonsense()
            covers.append(Cover(max(0.0, at_s), jpeg, *size))
        return covers


@contextmanager
def open_decoder(source: Source, *, budget_bytes: int) -> Iterator[Decoder]:
    """Hold a child for one source.

    :param budget_bytes: how much of the source it may read, all its work together
    :raises MediaToolError: none could be started, or none can work here (code `DECODER_MISSING`)
    """
    with _started(source, budget_bytes=budget_bytes) as conversation:
        yield Decoder(conversation)


def libav_version() -> str:
    """Start a child and give the version of the libav it has loaded.

    :raises MediaToolError: it cannot be started, or cannot load libav
    """
    with _started(BytesSource(b""), budget_bytes=0) as conversation:
        return conversation.version


@contextmanager
def _started(source: Source, *, budget_bytes: int) -> Iterator[Conversation]:
    with ExitStack() as held:
        try:
            conversation = held.enter_context(
                open_conversation(LIBAV, source, budget_bytes=budget_bytes)
            )
        except LibraryMissingError as error:
            raise _decoder_missing(str(error)) from error
        except LibraryBrokenError as error:  # nothing of the file was read yet
            raise _decoder_missing("its process ended while it loaded libav") from error
        yield conversation


def _decoder_missing(why: str) -> MediaToolError:
    fix = "install Reelflow's requirements again: pip install --force-reinstall av Pillow"
    return MediaToolError(f"no video can be decoded here: {why}; {fix}", code=DECODER_MISSING)
