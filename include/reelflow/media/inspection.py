"""Examining a source: type by its bytes, container walk, then libav or Pillow, and its covers.

A video is opened once, in one child, for all that is asked of it. Each half of the work has its own
budget of bytes to read, because each may be a task of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reelflow.block_source import BlockSource
from reelflow.domain.media import IMAGE_CONTAINERS, VIDEO_EXTENSIONS, MediaFacts
from reelflow.domain.violation import Violation
from reelflow.exceptions import MediaRejectedError, MediaToolError
from reelflow.media.container import ContainerWalk, walk_container
from reelflow.media.decoder import (
    DECODER_MISSING,
    DEMUXERS,
    Cover,
    Decoder,
    open_decoder,
)
from reelflow.media.image_facts import image_cover, image_facts
from reelflow.media.probe import facts_from_answer, samples_end_byte
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.sandbox.conversation import FileRefusedError
from reelflow.source import Source, open_file

_log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
FACTS_BUDGET_BYTES: Final = 16 * MIB
"""What finding the facts may read of a file with its index first; without that, twice as much."""
COVERS_BUDGET_BYTES: Final = 16 * MIB
"""The same for making its covers."""
DEFAULT_CANDIDATES: Final = 4


def inspect_media(path: Path) -> MediaFacts:
    """Measure a file without trusting anything in it. Judging it is `reelflow.domain.media`.

    A file that libav or Pillow refuses gives facts with `probe_error`, not an exception. Where no
    libav works, a video is measured by its container alone, and a warning is logged.

    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    :raises SourceChangedError: somebody wrote to the file meanwhile
    :raises MediaToolError: libav ran out of time or was killed; trying again may work
    """
    with open_file(path) as source:
        return inspect_source(source)


def inspect_source(source: Source) -> MediaFacts:
    """Measure a source as :func:`inspect_media` measures a file."""
    with examine(source) as examination:
        return examination.facts


class Examination:
    """What is found out about one source.

    :param facts: everything measured
    """

    def __init__(self, facts: MediaFacts, source: Source, decoder: Decoder | None) -> None:
        self.facts = facts
        self._source = source
        self._decoder = decoder

    def cover(self, at_s: float | None = None) -> Cover:
        """Make the cover, a JPEG of at most 640 pixels a side; nothing is enlarged.

        :param at_s: show exactly this moment; without it, a keyframe that is neither black nor
            blurred, which costs a fraction of the work
        :raises MediaRejectedError: nothing of it can be decoded
        :raises MediaToolError: libav is missing, ran out of time or was killed
        """
        if self.facts.kind == "image":
            return image_cover(self._source, self.facts)
        try:
            return self._decoding().cover(at_s)
        except FileRefusedError as error:
            raise _undecodable(str(error)) from error

    def candidates(self, count: int = DEFAULT_CANDIDATES) -> list[Cover]:
        """Make up to `count` different covers from all over a video; of an image, its only one.

        :raises MediaRejectedError: nothing of it can be decoded
        :raises MediaToolError: libav is missing, ran out of time or was killed
        """
        if self.facts.kind == "image":
            return [image_cover(self._source, self.facts)]
        try:
            return self._decoding().candidates(count)
        except FileRefusedError as error:
            raise _undecodable(str(error)) from error

    def _decoding(self) -> Decoder:
        if self._decoder is None:
            raise FileRefusedError(self.facts.probe_error or f"{self.facts.container} content")
        return self._decoder


@contextmanager
def examine(source: Source, *, with_covers: bool = False) -> Iterator[Examination]:
    """Measure a source, and keep it open for its covers.

    :param with_covers: whether covers will be asked for, which allows more of it to be read, and
        makes a missing libav an error
    :raises MediaToolError: libav ran out of time or was killed; trying again may work
    """
    container = sniff(source.read_at(0, HEAD_BYTES))
    if container in IMAGE_CONTAINERS:
        yield Examination(image_facts(source, container), source, None)
    elif container not in VIDEO_EXTENSIONS:
        facts = MediaFacts(container=container, kind="other", size_bytes=source.size_bytes)
        yield Examination(facts, source, None)
    else:
        with ExitStack() as held:
            yield _examine_video(source, container, with_covers, held)


def _examine_video(
    source: Source, container: str, with_covers: bool, held: ExitStack
) -> Examination:
    walk = walk_container(BlockSource(source).read_at, source.size_bytes, container)
    decoder: Decoder | None = None
    measured: dict[str, Any]
    try:
        budget_bytes = _budget_bytes(walk, with_covers)
        decoder = held.enter_context(open_decoder(source, budget_bytes=budget_bytes))
        answer = decoder.open(container)
        measured = facts_from_answer(answer)
        walk = _compared(walk, samples_end_byte(answer), source, container)
    except FileRefusedError as error:
        decoder, measured = None, {"probe_error": str(error)}
    except MediaToolError as error:
        if error.code != DECODER_MISSING or with_covers:
            raise
        _log.warning("the video is checked by its container alone: %s", error)
        measured = {"is_measured": False}
    if walk.is_unfinished:
        measured |= _untold(measured)
    facts = MediaFacts(
        container=container,
        kind="video",
        size_bytes=source.size_bytes,
        data_end_byte=walk.data_end_byte,
        declared_size_bytes=walk.declared_size_bytes,
        faststart=walk.faststart,
        **measured,
    )
    return Examination(facts, source, decoder)


def _compared(
    walk: ContainerWalk, samples_end: int | None, source: Source, container: str
) -> ContainerWalk:
    """Notice media data of which the index tells more than there is: no box says how long it is."""
    is_short = samples_end is not None and samples_end > source.size_bytes
    if DEMUXERS[container] != "mov" or walk.data_end_byte is not None or not is_short:
        return walk
    return replace(walk, data_end_byte=source.size_bytes, declared_size_bytes=samples_end)


def _untold(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Take back what libav makes up of lengths that nobody filled in."""
    return {
        "duration_s": None,
        "video_start_s": None,
        "video_duration_s": None,
        "bit_rate_bps": None,
        "average_frame_rate": measured.get("nominal_frame_rate"),
        "variable_frame_rate": False,
    }


def _budget_bytes(walk: ContainerWalk, with_covers: bool) -> int:
    budget_bytes = FACTS_BUDGET_BYTES + (COVERS_BUDGET_BYTES if with_covers else 0)
    return budget_bytes if walk.faststart else 2 * budget_bytes


def _undecodable(why: str) -> MediaRejectedError:
    violation = Violation(
        "undecodable",
        f"no frame of the video can be decoded: {why}",
        "a video that libav can decode",
        "export the video again, as H.264 in MP4",
    )
    message = f"No thumbnail: {violation.value}; {violation.fix}."
    return MediaRejectedError(message, violations=[violation.as_dict()], libav=why)
