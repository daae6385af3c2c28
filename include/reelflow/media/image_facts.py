"""Examining an image: what Pillow measures, where it was cut, what it holds beside the picture."""

from __future__ import annotations

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import INTAKE_PHOTOS, PUBLISHED_PHOTOS
from reelflow.media.decoder import MAX_SIDE_PX, Cover
from reelflow.media.image_end import find_end
from reelflow.media.image_extras import find_extras
from reelflow.source import Source, as_stream


def image_facts(source: Source, container: str) -> MediaFacts:
    """Measure an untrusted image; one that Pillow refuses gives facts with `probe_error`."""
    from reelflow.media.images import measure_image  # few files are images: Pillow loads slowly

    facts = measure_image(as_stream(source))
    if "probe_error" in facts:
        facts["data_end_byte"] = _data_end_byte(source, container)
    extras = _extras(source, container)
    return MediaFacts(container, "image", source.size_bytes, image_extras=extras, **facts)


def _data_end_byte(source: Source, container: str) -> int | None:
    if source.size_bytes > INTAKE_PHOTOS.max_size_bytes:
        return None
    return find_end(source.read_at(0, source.size_bytes), container)


def _extras(source: Source, container: str) -> tuple[str, ...] | None:
    """Look through what may be posted as it is: no PNG, and nothing larger than is taken in."""
    size_bytes = source.size_bytes
    if container not in PUBLISHED_PHOTOS.containers or size_bytes > PUBLISHED_PHOTOS.max_size_bytes:
        return None
    return tuple(find_extras(source.read_at(0, size_bytes), container))


def image_cover(source: Source) -> Cover:
    """Make the one cover of an image.

    :raises MediaRejectedError: it cannot be decoded
    """
    from reelflow.media.images import shrink_image

    jpeg, size = shrink_image(as_stream(source), max_side_px=MAX_SIDE_PX)
    return Cover(0.0, jpeg, *size)
