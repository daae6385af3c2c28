"""The first look at a file that came over the API: what its first bytes, name and size tell.

It breaks no rule of its own: what is refused here, validating it would refuse as well, but later,
and after the file was stored. Nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from reelflow.domain.content_types import (
    CONTENT_TYPES,
    MediaType,
    container_declared,
    extensions_of,
    media_type_of,
)
from reelflow.domain.file_name import clean_file_name, extension_of
from reelflow.domain.media import publishing_violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.media_policy import MediaPolicy
from reelflow.domain.photos import image_violations, is_picture
from reelflow.domain.violation import Violation, in_lines
from reelflow.exceptions import MediaRejectedError
from reelflow.media.repair_line import repair_line
from reelflow.media.sniff import HEAD_BYTES, sniff

#: Slug of the error that refuses files after this look.
NOT_THIS_MEDIA: Final = "not_this_media"

#: Content types that say nothing of the content: what senders say who do not know it.
SAYS_NOTHING: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_SEND_IMAGES: Final = "send a real image; renaming does not make one"


@dataclass(frozen=True)
class FirstLook:
    """What a file is, as far as its first bytes tell, and which rules it breaks already.

    :param file_name: what people call it; one that came without extension gets that of its content
    :param container: as of `MediaFacts`
    """

    file_name: str
    container: str
    violations: Sequence[Violation]

    @property
    def media_type(self) -> MediaType:
        """What it is taken in as; of a file that breaks no rule."""
        media_type = media_type_of(self.container)
        assert media_type is not None
        return media_type

    @property
    def content_type(self) -> str:
        """Its content type; of a file that breaks no rule."""
        return CONTENT_TYPES[self.container]

    @property
    def extension(self) -> str:
        """The extension of its content, with its dot; of a file that breaks no rule."""
        return extensions_of(self.container)[0]


def look_at(
    head: bytes,
    *,
    size_bytes: int,
    file_name: str,
    media_type: MediaType | None,
    declared_type: str,
    house: MediaPolicy,
) -> FirstLook:
    """Judge a file by what can be seen at once.

    :param head: its first `HEAD_BYTES`, or all of it
    :param file_name: as its sender calls it
    :param media_type: what it is to be taken in as; None for whatever it is
    :param declared_type: its ``Content-Type``, as its sender says; may be empty
    """
    container = sniff(head[:HEAD_BYTES])
    found_type = media_type_of(container)
    name = _named(clean_file_name(file_name), container if found_type else None)
    facts = MediaFacts(container, found_type or "other", size_bytes, is_measured=False)
    violations = [
        *_broken_declarations(container, media_type, declared_type),
        *_broken_rules(facts, name, media_type or found_type, house),
    ]
    return FirstLook(name, container, violations)


def refuse_broken(looks: Sequence[FirstLook]) -> None:
    """Refuse all of several files if one of them breaks a rule.

    :raises MediaRejectedError: code ``not_this_media``; each violation names its file if there are
        several
    """
    several = len(looks) > 1
    violations = [
        (broken.of(look.file_name) if several else broken).as_dict()
        for look in looks
        for broken in look.violations
    ]
    if violations:
        what = "one of these files" if several else "this file"
        raise MediaRejectedError(
            f"{what} is not taken in:\n{in_lines(violations)}",
            code=NOT_THIS_MEDIA,
            violations=violations,
        )


def _named(name: str, container: str | None) -> str:
    """Give a name without extension the one of its content: validating asks for one."""
    if container is None or extension_of(name):
        return name
    return clean_file_name(f"{name}{extensions_of(container)[0]}")


def _broken_declarations(
    container: str, media_type: MediaType | None, declared_type: str
) -> list[Violation]:
    """Compare what the sender says of a file with what it is, where that is anything of ours."""
    broken = []
    found_type = media_type_of(container)
    if found_type and media_type and found_type is not media_type:
        value = f"{_shown(container)} content"
        fix = f"send it with media_type {found_type}, or send another file"
        broken.append(Violation("media_type", value, media_type.value, fix))
    essence = declared_type.partition(";")[0].strip().lower()
    if found_type and essence not in SAYS_NOTHING and container_declared(essence) != container:
        right = CONTENT_TYPES[container]
        limit = f"{right}, because the content is {_shown(container)}"
        fix = f"send it with the Content-Type {right}"
        broken.append(Violation("content_type", essence[:100], limit, fix))
    return broken


def _broken_rules(
    facts: MediaFacts, name: str, media_type: MediaType | None, house: MediaPolicy
) -> list[Violation]:
    if media_type is MediaType.IMAGE or (media_type is None and is_picture(facts)):
        return [] if facts.kind == "video" else _broken_image_rules(facts, name)
    return [] if facts.kind == "image" else publishing_violations(facts, name, repair_line, house)


def _broken_image_rules(facts: MediaFacts, name: str) -> list[Violation]:
    """Judge what must be an image; nothing that came over the API lies in a folder of a post."""
    return [
        replace(broken, fix=_SEND_IMAGES)
        if broken.rule == "photo_type" and not is_picture(facts)
        else broken
        for broken in image_violations(facts, name)
    ]


def _shown(container: str) -> str:
    return "WebP" if container == "webp" else container.upper()
