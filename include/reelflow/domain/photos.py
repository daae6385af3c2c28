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
    "png": (".png",),
    "webp": (".webp",),
}


@dataclass(frozen=True)
class PhotoPolicy:
    """Limits on one image of a photo post, pixels as coded.

    :param containers: accepted values of `MediaFacts.container`
    :param max_long_side_px: of the longer side, whichever way round the image is
    """

    containers: tuple[str, ...]
    max_size_bytes: int
    max_long_side_px: int
    max_short_side_px: int
    min_side_px: int = 1

    def narrowed_by(self, other: PhotoPolicy) -> PhotoPolicy:
        """Give the policy that allows only what both allow."""
        return PhotoPolicy(
            containers=tuple(c for c in self.containers if c in other.containers),
            max_size_bytes=min(self.max_size_bytes, other.max_size_bytes),
            max_long_side_px=min(self.max_long_side_px, other.max_long_side_px),
            max_short_side_px=min(self.max_short_side_px, other.max_short_side_px),
            min_side_px=max(self.min_side_px, other.min_side_px),
        )


INTAKE_PHOTOS: Final = PhotoPolicy(
    containers=("jpeg", "png", "webp"),
    max_size_bytes=20_000_000,
    max_long_side_px=4096,
    max_short_side_px=4096,
    min_side_px=100,
)
"""House rules: the images that Reelflow takes in at all."""

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

PUBLISHED_PHOTOS: Final = INTAKE_PHOTOS.narrowed_by(TIKTOK_PHOTOS)
"""What an image must keep to so that it is posted as it is."""


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


#: Pictures that are no photos for TikTok, as `reelflow.media.sniff` names them.
_OTHER_PICTURES: Final = frozenset(
    {
        *("other:heif", "other:avif", "other:cr3", "other:jpeg2000", "other:jpeg-xl"),
        *("other:gif", "other:tiff", "other:bmp"),
    }
)


def is_named_as_image(file_name: str) -> bool:
    """Whether a file's name is that of an image of an accepted type."""
    extension = file_extension(file_name)
    return any(extension in names for names in PHOTO_EXTENSIONS.values())


def is_picture(facts: MediaFacts) -> bool:
    """Whether a file is to be judged as an image, be it of an accepted type or not."""
    return facts.kind == "image" or facts.container in _OTHER_PICTURES


def photo_violations(
    facts: MediaFacts, file_name: str, policy: PhotoPolicy = INTAKE_PHOTOS
) -> list[Violation]:
    """List every rule that one image of several breaks, each violation naming it."""
    return [broken.of(file_name) for broken in image_violations(facts, file_name, policy)]


def image_violations(
    facts: MediaFacts, file_name: str, policy: PhotoPolicy = INTAKE_PHOTOS
) -> list[Violation]:
    """List every rule of the policy that a file breaks as an image, all at once.

    :param facts: from `reelflow.media.inspection.inspect_media`
    :param file_name: the user's name of the image
    """
    if facts.size_bytes == 0:
        return [Violation("empty", "0 bytes", "an image", "copy or upload the file again")]
    return [*_broken_type(facts, file_name, policy), *_broken_picture(facts, policy)]


def copy_reasons(facts: MediaFacts) -> list[str]:
    """Say why TikTok gets a prepared copy of an image that Reelflow takes in, and never the image.

    It gets the image itself only when it takes that as it is, and it is known to hold nothing but a
    picture that all viewers see alike.

    :param facts: of an image without a violation of `INTAKE_PHOTOS`
    :return: each reason in a few words; none when the image is posted as it is
    """
    if facts.container not in PUBLISHED_PHOTOS.containers:
        return [f"{_shown(facts.container)} content"]
    reasons = [broken.value for broken in _broken_picture(facts, PUBLISHED_PHOTOS)]
    if facts.image_extras is None:
        return [*reasons, "nobody looked what it holds"]
    return [*reasons, *facts.image_extras]


def _broken_type(facts: MediaFacts, file_name: str, policy: PhotoPolicy) -> Iterator[Violation]:
    if facts.container not in policy.containers:
        if is_picture(facts):
            fix = "export it as JPEG; renaming does not make one"
        elif facts.kind == "other" and is_named_as_image(file_name):
            fix = "give a real image; renaming does not make one"
        else:
            fix = "take it out of the folder, which is for the images of one post alone"
        what = facts.container.removeprefix("other:")
        yield Violation("photo_type", f"{what} content", _any_of(policy.containers), fix)
    expected = PHOTO_EXTENSIONS.get(facts.container)
    actual = file_extension(file_name)
    if expected is not None and actual not in expected:
        yield Violation(
            "extension",
            actual or "no extension",
            f"{' or '.join(expected)}, because the content is {_shown(facts.container)}",
            f"rename the file so that its name ends in {expected[0]}",
        )


def _any_of(containers: Sequence[str]) -> str:
    *rest, last = [_shown(container) for container in containers]
    return f"{', '.join(rest)} or {last}" if rest else last


def _shown(container: str) -> str:
    return "WebP" if container == "webp" else container.upper()


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
    if facts.data_end_byte is not None:
        yield Violation(
            "truncated",
            f"the data ends at byte {facts.data_end_byte}",
            "a whole image",
            "copy or upload the whole image again",
        )
    elif facts.probe_error is not None:
        yield Violation(
            "unreadable", facts.probe_error, "a whole image", "copy or export the image again"
        )
    if facts.width is not None and facts.height is not None:
        yield from _broken_resolution(facts.width, facts.height, policy)


def _broken_resolution(width: int, height: int, policy: PhotoPolicy) -> Iterator[Violation]:
    low, long, short = policy.min_side_px, policy.max_long_side_px, policy.max_short_side_px
    limit = f"at most {long}x{short} px, either way round"
    if low > 1:
        limit += f", and at least {low} px each side"
    longer, shorter = max(width, height), min(width, height)
    if shorter >= low and longer <= long and shorter <= short:
        return
    if longer * low > long * shorter:  # too long a shape: at no scale do both sides fit
        fix = (
            f"crop it so that its longer side is at most {long // low} times its shorter one, then "
            f"export it with {low} to {long} px each side"
        )
    elif shorter < low:
        fix = f"use a larger image: at least {low} px on its shorter side"
    else:
        fix = (
            f"export it smaller: at most {long} px on its longer and {short} px on its shorter side"
        )
    yield Violation("resolution", f"{width}x{height} px", limit, fix)
