"""Reads what a file carries beside its pictures, by its container."""

from __future__ import annotations

from typing import Final

from reelflow.analysis.boxes import read_boxes
from reelflow.analysis.embedded import Embedded
from reelflow.analysis.image_parts import read_jpeg, read_png, read_riff
from reelflow.analysis.tags import read_matroska
from reelflow.block_source import BlockSource
from reelflow.source import Source

_READERS: Final = {
    "jpeg": read_jpeg,
    "png": read_png,
    "webp": read_riff,
    "avi": read_riff,
    "mp4": read_boxes,
    "mov": read_boxes,
    "mkv": read_matroska,
    "webm": read_matroska,
}


def read_embedded(source: Source, container: str) -> Embedded:
    """Return what a file carries; of a damaged one, what comes before the damage.

    :param container: as `reelflow.media.sniff` names it; others carry nothing that is known here
    """
    found = Embedded()
    if container in _READERS:
        _READERS[container](BlockSource(source), found)
    return found
