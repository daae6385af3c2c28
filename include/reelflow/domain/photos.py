"""Photo posts: the rules their images must keep to, their order, and what identifies them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reelflow.domain.media_facts import MediaFacts, file_extension
from reelflow.domain.media_policy import MIB
from reelflow.domain.violation import Violation

#: Most images of one post (content-posting-api-reference-photo-post, read 2026-09-11).
MAX_PHOTOS: Final = 35

#: The names an image of each type may have.
PHOTO_EXTENSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg"),
    "webp": (".webp",),
}


@dataclass(frozen=True)
class PhotoPolicy:
    """Limits on one image of a photo post.

    :param containers: accepted values of `MediaFacts.container`
    :param max_long_side_px: of the longer side, whichever way round the image is
    """

    containers: tuple[str, ...]
    max_size_bytes: int
    max_long_side_px: int
    max_short_side_px: int


TIKTOK_PHOTOS: Final = PhotoPolicy(
    containers=("jpeg", "webp"),
    max_size_bytes=20_000_000,
    max_long_side_px=1920,
    max_short_side_px=1080,
)
"""What TikTok accepts: JPEG or WebP, at most 20 MB and "1080p" (content-posting-api-media-transfer-
guide, read 2026-09-11). MB is taken in its smaller reading. What 1080p means for an image is not
said; 1080x1920, 1080x1440, 1080x1080 and 1920x1080 are known to be taken (observed,
https://github.com/DayMoonDevelopment/post-for-me/commit/3f4fc7b)."""


def photo_post_sha256(image_sha256s: Sequence[str]) -> str:
    """Return what identifies a photo post's content: its images and their order."""
    return hashlib.sha256("\n".join(["photos", *image_sha256s]).encode()).hexdigest()


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return the key that sorts names as people count: ``2.jpg`` before ``10.jpg``."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def wished_order(names: Sequence[str], wished: Sequence[str]) -> list[int]:
    """Return where in ``names`` each wished image stands, in the order wished.

    Names that differ only in how Unicode composes their characters are the same: a Mac writes them
    decomposed, editors do not.

    :raises ValueError: saying which names are missing, unknown or given twice
    """
    places = {_composed(name): place for place, name in enumerate(names)}
    asked = [_composed(name) for name in wished]
    unknown = [name for name in asked if name not in places]
    unnamed = [name for name in places if name not in asked]
    twice = sorted({name for name in asked if asked.count(name) > 1})
    wrong = [
        *(f"{name!r} is not in the folder" for name in unknown),
        *(f"{name!r} is in the folder but not named" for name in unnamed),
        *(f"{name!r} is named twice" for name in twice),
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(
            f"images must name each image of the folder once, but {', '.join(wrong[:5])}{more}"
        )
    return [places[name] for name in asked]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def count_violation(count: int) -> Violation | None:
    """Return what is wrong with the number of images of one post, if anything."""
    if count <= MAX_PHOTOS:
        return None
    return Violation(
        "photo_count",
        f"{count} images",
        f"1 to {MAX_PHOTOS} images a post",
        f"take {count - MAX_PHOTOS} out, or make several folders of them",
    )


def photo_violations(
    facts: MediaFacts, file_name: str, policy: PhotoPolicy = TIKTOK_PHOTOS
) -> list[Violation]:
    """List every rule that one image of a photo post breaks, all at once.

    :param facts: from `reelflow.media.inspection.inspect_media`
    :param file_name: the user's name of the image, which each violation names
    """
    if facts.size_bytes == 0:
        found = [Violation("empty", "0 bytes", "an image", "copy or upload the file again")]
    else:
        found = [*_broken_type(facts, file_name, policy), *_broken_picture(facts, policy)]
    return [broken.of(file_name) for broken in found]


def _broken_type(facts: MediaFacts, file_name: str, policy: PhotoPolicy) -> Iterator[Violation]:
    allowed = " or ".join(
        "WebP" if container == "webp" else container.upper() for container in policy.containers
    )
    if facts.container not in policy.containers:
        what = facts.container.removeprefix("other:")
        fix = (
            "export it as JPEG; renaming does not make one"
            if facts.kind == "image" or what in _PICTURES
            else "take it out of the folder, which is for the images of one post alone"
        )
        yield Violation("photo_type", f"{what} content", allowed, fix)
        return
    expected = PHOTO_EXTENSIONS[facts.container]
    actual = file_extension(file_name)
    if actual not in expected:
        yield Violation(
            "extension",
            actual or "no extension",
            f"{' or '.join(expected)}, because the content is {facts.container.upper()}",
            f"rename the file so that its name ends in {expected[0]}",
        )


#: Pictures that are no photos for TikTok, as `reelflow.media.sniff` names them.
_PICTURES: Final = frozenset({"heif", "avif", "cr3", "jpeg2000", "gif"})


def _broken_picture(facts: MediaFacts, policy: PhotoPolicy) -> Iterator[Violation]:
    if facts.size_bytes > policy.max_size_bytes:
        yield Violation(
            "size",
            f"{facts.size_bytes / MIB:.1f} MiB ({facts.size_bytes} bytes)",
            f"at most {policy.max_size_bytes} bytes",
            "export it as JPEG with a lower quality",
        )
    if facts.kind != "image":
        return
    if facts.probe_error is not None:
        yield Violation(
            "unreadable", facts.probe_error, "a whole image", "copy or export the image again"
        )
    sides = (facts.width or 0, facts.height or 0)
    too_long = max(sides) > policy.max_long_side_px
    if too_long or min(sides) > policy.max_short_side_px:
        long, short = policy.max_long_side_px, policy.max_short_side_px
        yield Violation(
            "resolution",
            f"{facts.width}x{facts.height} px",
            f"at most {long}x{short} px, either way round",
            f"export it smaller: at most {long} px on its longer and {short} px on its shorter "
            "side",
        )
