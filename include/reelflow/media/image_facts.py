"""Examining an image: what Pillow measures, where it was cut, what it holds beside the picture."""

from __future__ import annotations

from typing import Final

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import INTAKE_PHOTOS, PUBLISHED_PHOTOS
from reelflow.media.decoder import MAX_SIDE_PX, Cover
from reelflow.media.image_end import find_end
from reelflow.media.image_extras import find_extras
from reelflow.source import Source
from reelflow.source_stream import as_stream

#: Progressive JPEG has about ten; each costs a pass over all pixels, and takes a few bytes only.
MAX_SCANS: Final = 100
_SCAN: Final = b"\xff\xda"


def image_facts(source: Source, container: str) -> MediaFacts:
    """Measure an untrusted image; one that Pillow refuses gives facts with `probe_error`.

    What is larger than any image that is taken in is not decoded, nor what would take minutes.
    """
    from reelflow.media.images import measure_image  # few files are images: Pillow loads slowly

    endless = _endless(source, container)
    facts = measure_image(as_stream(source), is_decoded=endless is None and _is_taken_in(source))
    if endless is not None:
        facts["probe_error"] = endless
    elif "probe_error" in facts and _is_taken_in(source):
        facts["data_end_byte"] = find_end(source.read_at(0, source.size_bytes), container)
    extras = _extras(source, container)
    return MediaFacts(container, "image", source.size_bytes, image_extras=extras, **facts)


def _is_taken_in(source: Source) -> bool:
    return source.size_bytes <= INTAKE_PHOTOS.max_size_bytes


def _endless(source: Source, container: str) -> str | None:
    """Say why decoding it would take minutes. No compressed data hold the two bytes (T.81, B.1)."""
    if container != "jpeg" or not _is_taken_in(source):
        return None
    scans = source.read_at(0, source.size_bytes).count(_SCAN)
    return f"{scans} scans, more than {MAX_SCANS}" if scans > MAX_SCANS else None


def _extras(source: Source, container: str) -> tuple[str, ...] | None:
    """Look through what may be posted as it is: no PNG, and nothing larger than is taken in."""
    size_bytes = source.size_bytes
    if container not in PUBLISHED_PHOTOS.containers or size_bytes > PUBLISHED_PHOTOS.max_size_bytes:
        return None
    return tuple(find_extras(source.read_at(0, size_bytes), container))


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
