"""The copy of a photo that TikTok takes: JPEG, upright, in standard colours, without metadata."""

from __future__ import annotations

import io
from typing import BinaryIO, Final

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import TIKTOK_PHOTOS, PhotoPolicy
from reelflow.source import Source
from reelflow.source_stream import as_stream

#: TikTok compresses once more, so this is close to the original; of 1920x1080 pixels, even noise
#: stays under 4 MB of the 20 MB that TikTok takes.
JPEG_QUALITY: Final = 92


def prepare_photo(
    source: Source, target: BinaryIO, *, policy: PhotoPolicy = TIKTOK_PHOTOS
) -> MediaFacts:
    """Write a copy of an untrusted image that keeps to a policy; the source stays as it is.

    It is turned as its EXIF orientation says, shrunk where it is too large and never enlarged, laid
    on white where it is transparent, converted to sRGB by its colour profile. Of its metadata
    (place, names, comments, thumbnails), and of what may hide behind the image, nothing is left.

    :return: what the copy is
    :raises MediaRejectedError: not a JPEG, PNG or WebP, too many pixels, or damaged
    :raises SourceChangedError: somebody wrote to the source meanwhile
    """
    from PIL import Image  # few files are images, and it loads slowly

    from reelflow.media.images import decode_upright

    picture = decode_upright(
        as_stream(source),
        max_long_side_px=policy.max_long_side_px,
        max_short_side_px=policy.max_short_side_px,
        resampling=Image.Resampling.LANCZOS,
    )
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY)
    target.write(written.getbuffer())
    width, height = picture.size
    return MediaFacts(
        container="jpeg",
        kind="image",
        size_bytes=written.tell(),
        width=width,
        height=height,
        display_width=width,
        display_height=height,
        image_extras=(),
    )
