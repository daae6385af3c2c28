"""The cover picture of a source: a small JPEG without metadata."""

from __future__ import annotations

from reelflow.media.decoder import Cover
from reelflow.media.inspection import examine
from reelflow.source import Source


def make_thumbnail(source: Source, *, at_s: float | None = None) -> Cover:
    """Make a JPEG cover of at most 640 pixels a side; a smaller picture is not enlarged.

    :param at_s: show exactly this moment; without it, a good frame near the first third, which
        costs a fraction of the work
    :raises MediaRejectedError: no frame can be decoded
    :raises SourceChangedError: somebody wrote to the source meanwhile
    :raises MediaToolError: libav is missing (code `DECODER_MISSING`), was killed or ran out of
        time; trying again may work
    """
    with examine(source, with_covers=True) as examination:
        return examination.cover(at_s)
