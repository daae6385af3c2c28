"""Measuring a file: type by its bytes, then ffprobe or Pillow, all on one open descriptor."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from reelflow.domain.media import IMAGE_CONTAINERS, VIDEO_EXTENSIONS, MediaFacts
from reelflow.media.container import walk_container
from reelflow.media.probe import probe
from reelflow.media.sniff import HEAD_BYTES, sniff
from reelflow.media.source import open_source, read_at


def inspect_media(path: Path) -> MediaFacts:
    """Measure a file without trusting anything in it. Judging it is `reelflow.domain.media`.

    A file that ffprobe or Pillow refuses gives facts with `probe_error`, not an exception.

    :raises MediaUnreadableError: the path is missing, a link, not a plain file, or not readable
    :raises MediaToolError: ffprobe is missing or ran out of time; trying again may work
    """
    with open_source(path) as fd:
        return inspect_descriptor(fd)


def inspect_descriptor(fd: int) -> MediaFacts:
    """Measure the regular file open at `fd`; its position stays where it is.

    :raises MediaToolError: ffprobe is missing or ran out of time; trying again may work
    """
    size_bytes = os.fstat(fd).st_size
    container = sniff(read_at(fd, 0, HEAD_BYTES))
    if container in IMAGE_CONTAINERS:
        from reelflow.media.images import measure_image  # few files are images: Pillow loads slowly

        return MediaFacts(container, "image", size_bytes, **measure_image(fd))
    if container not in VIDEO_EXTENSIONS:
        return MediaFacts(container=container, kind="other", size_bytes=size_bytes)
    walk = walk_container(partial(read_at, fd), size_bytes, container)
    return MediaFacts(
        container=container,
        kind="video",
        size_bytes=size_bytes,
        data_end_byte=walk.data_end_byte,
        declared_size_bytes=walk.declared_size_bytes,
        faststart=walk.faststart,
        **probe(fd),
    )
