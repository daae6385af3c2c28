"""Examining an image: what Pillow measures, where it was cut, what it holds beside the picture."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Final

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import INTAKE_PHOTOS, PUBLISHED_PHOTOS
from reelflow.media.decoder import MAX_SIDE_PX, Cover
from reelflow.media.image_end import find_end
from reelflow.media.image_extras import find_extras
from reelflow.media.image_parts import excess
from reelflow.source import Source
from reelflow.source_stream import as_stream

#: Of what is too large to be taken in, enough to find its sides in: Pillow would read all of it.
_HEAD_BYTES: Final = 1024 * 1024


def image_facts(source: Source, container: str) -> MediaFacts:
    """Measure an untrusted image; one that Pillow refuses gives facts with `probe_error`.

    What is larger than any image that is taken in is measured by its head alone, and nothing that
    would take minutes or gigabytes is given to Pillow.
    """
    from reelflow.media.images import measure_image  # few files are images: Pillow loads slowly

    is_taken_in = _is_taken_in(source)
    content = source.read_at(0, source.size_bytes if is_taken_in else _HEAD_BYTES)
    facts = MediaFacts(container, "image", source.size_bytes)
    too_much = excess(content, container)
    if too_much is not None:
        return replace(facts, probe_error=too_much)
    facts = replace(facts, **measure_image(io.BytesIO(content), is_decoded=is_taken_in))
    if not is_taken_in:
        return replace(facts, probe_error=None)
    end = None if facts.probe_error is None else find_end(content, container)
    return replace(facts, data_end_byte=end, image_extras=_extras(content, container))


def _is_taken_in(source: Source) -> bool:
    return source.size_bytes <= INTAKE_PHOTOS.max_size_bytes


def _extras(content: bytes, container: str) -> tuple[str, ...] | None:
    """Look through what may be posted as it is: no PNG, and nothing larger than is taken in."""
    is_posted = container in PUBLISHED_PHOTOS.containers
    if not is_posted or len(content) > PUBLISHED_PHOTOS.max_size_bytes:
        return None
    return tuple(find_extras(content, container))


def image_cover(source: Source, facts: MediaFacts) -> Cover:
    """Make the one cover of an image.

    :param facts: what it was found to be
    :raises MediaRejectedError: it cannot be decoded, or is too large to try
    """
    from reelflow.media.images import shrink_image, undecodable

    if facts.probe_error is not None:
        raise undecodable(facts.probe_error)
    if not _is_taken_in(source):
        raise undecodable(f"{source.size_bytes} bytes are too many")
    jpeg, size = shrink_image(as_stream(source), max_side_px=MAX_SIDE_PX)
    return Cover(0.0, jpeg, *size)
