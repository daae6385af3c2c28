"""The sidecar: what ``<file>.json`` beside an inbox file or folder may say, and its checks."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, ValidationError
from pydantic import model_validator as model_rule

from reelflow.domain.photos import MAX_PHOTOS
from reelflow.domain.post import Interaction, PostMode, PrivacyLevel
from reelflow.exceptions import SidecarError

#: Longest caption of a video, in UTF-16 units (content-posting-api-reference-direct-post).
CAPTION_MAX_UTF16_UNITS = 2200
#: Longest title and caption of photos, in UTF-16 units (content-posting-api-reference-photo-post,
#: where the caption is named ``description``).
PHOTO_TITLE_MAX_UTF16_UNITS = 90
PHOTO_CAPTION_MAX_UTF16_UNITS = 4000
#: Outside of these, a year is a slip of the pen; near 1 and 9999 it has no UTC time at all.
PUBLISH_YEARS: Final = range(2000, 2100)
#: A sidecar larger than this is not one.
SIDECAR_MAX_BYTES = 64 * 1024


def utf16_units(text: str) -> int:
    """Return the length of a text as TikTok counts it."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


class PostFields(BaseModel):
    """What a person may wish for any post; every field is optional, an unknown one is an error.

    ``privacy_level`` has no default: TikTok forbids to choose one for the creator.
    ``publish_at`` needs a time zone; none means now. ``approval`` asks for a person to let it go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Texts, and the most UTF-16 units of each.
    _longest: ClassVar[dict[str, int]] = {}

    caption: str = ""
    privacy_level: PrivacyLevel | None = None
    publish_at: Annotated[AwareDatetime, Field(strict=True)] | None = None
    disable_comment: StrictBool = False
    brand_content_toggle: StrictBool = False
    brand_organic_toggle: StrictBool = False
    is_aigc: StrictBool = False
    mode: PostMode = PostMode.DIRECT
    repost: StrictBool = False
    approval: StrictBool = False

    def columns(self) -> dict[str, Any]:
        """Return what a post keeps of it, by the names of its columns."""
        kept = self.model_dump()
        approval = kept.pop("approval")
        return {
            **kept,
            "wants_approval": approval,
            "wanted_interactions": self._wanted_interactions(),
        }

    def _wanted_interactions(self) -> str | None:
        """Return what was asked for by name: ``false`` for ``disable_comment`` wants comments.

        Who says nothing of it takes what the creator's own settings allow.
        """
        wanted = [
            interaction
            for interaction in Interaction
            if f"disable_{interaction}" in self.model_fields_set
            and not getattr(self, f"disable_{interaction}")
        ]
        return ",".join(wanted) or None

    @model_rule(mode="after")
    def _check_together(self) -> Self:
        for name, longest in self._longest.items():
            _check_text(name, getattr(self, name) or "", longest)
        if self.publish_at is not None and self.publish_at.year not in PUBLISH_YEARS:
            raise ValueError(
                f"publish_at is in the year {self.publish_at.year}: years from {PUBLISH_YEARS[0]} "
                f"to {PUBLISH_YEARS[-1]} are taken"
            )
        # content-sharing-guidelines: branded content cannot be private.
        if self.brand_content_toggle and self.privacy_level is PrivacyLevel.SELF_ONLY:
            raise ValueError(
                "brand_content_toggle needs a visible post: choose another privacy_level "
                "than SELF_ONLY"
            )
        return self


def _check_text(name: str, text: str, longest: int) -> None:
    if "\0" in text:  # PostgreSQL cannot store it, and no text needs it
        raise ValueError(f"{name} has a NUL character: leave it out")
    units = utf16_units(text)
    if units > longest:
        raise ValueError(
            f"{name} has {units} UTF-16 units, TikTok takes {longest}: "
            f"shorten it by {units - longest}"
        )


class VideoFields(PostFields):
    """What a person wishes for a video."""

    _longest: ClassVar[dict[str, int]] = {"caption": CAPTION_MAX_UTF16_UNITS}

    disable_duet: StrictBool = False
    disable_stitch: StrictBool = False
    cover_timestamp_ms: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)] | None = None


class PhotoFields(PostFields):
    """What a person wishes for a folder of photos.

    :param title: stands above the caption
    :param auto_add_music: let TikTok choose music
    :param cover_index: which image is the cover, the first being 0, in the order of the post
    :param images: the names of the folder's images in the order to post them; without it, the order
        of their names, ``2.jpg`` before ``10.jpg``
    """

    _longest: ClassVar[dict[str, int]] = {
        "title": PHOTO_TITLE_MAX_UTF16_UNITS,
        "caption": PHOTO_CAPTION_MAX_UTF16_UNITS,
    }

    title: str | None = None
    auto_add_music: StrictBool = False
    cover_index: Annotated[int, Field(ge=0, lt=MAX_PHOTOS, strict=True)] = 0
    images: Annotated[list[str], Field(min_length=1)] | None = None

    def columns(self) -> dict[str, Any]:
        """Return what a post keeps of it, by the names of its columns."""
        kept = super().columns()
        del kept["images"], kept["cover_index"]
        # A photo has neither duets nor stitches (content-posting-api-reference-photo-post).
        return kept | {
            "photo_cover_index": self.cover_index,
            "disable_duet": False,
            "disable_stitch": False,
        }


_Fields = TypeVar("_Fields", bound=PostFields)

_VIDEO_ONLY: Final = frozenset(VideoFields.model_fields) - frozenset(PhotoFields.model_fields)
_PHOTO_ONLY: Final = frozenset(PhotoFields.model_fields) - frozenset(VideoFields.model_fields)


def parse_sidecar(data: bytes, kind: type[_Fields]) -> _Fields:
    """Read a sidecar.

    :param kind: the fields that what it belongs to may have
    :raises SidecarError: naming each field that is wrong, with its value and what it takes
    """
    if len(data) > SIDECAR_MAX_BYTES:
        raise SidecarError(
            f"the sidecar has {len(data)} bytes, at most {SIDECAR_MAX_BYTES} are read: "
            "keep only the fields of a post in it"
        )
    try:
        return read_fields(data.removeprefix(codecs.BOM_UTF8), kind)
    except ValueError as exc:
        raise SidecarError(f"the sidecar cannot be used: {exc}") from None


def read_fields(data: bytes, kind: type[_Fields]) -> _Fields:
    """Read what is wished for a post, from JSON.

    :raises ValueError: naming each field that is wrong, with its value and what it takes
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as exc:
        raise ValueError("; ".join(_sentences(exc, kind))) from None


def _sentences(exc: ValidationError, kind: type[PostFields]) -> list[str]:
    sentences = []
    for error in exc.errors(include_url=False):
        field = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            sentences.append(_unknown(field, kind))
        elif error["type"] == "timezone_aware":
            sentences.append(f"{field} {_short(error['input'])} has no time zone: add Z or +02:00")
        elif field:
            sentences.append(f"{field} is {_short(error['input'])}: {error['msg']}")
        else:
            sentences.append(error["msg"].removeprefix("Value error, "))
    return sentences


def _unknown(field: str, kind: type[PostFields]) -> str:
    if kind is PhotoFields and field in _VIDEO_ONLY:
        return f"{field} is for videos only and does nothing to photos: leave it out"
    if kind is VideoFields and field in _PHOTO_ONLY:
        return f"{field} is for photos only, which are given as a folder: leave it out"
    return f"unknown field {_short(field)} (known: {', '.join(kind.model_fields)})"


def _short(value: object) -> str:
    """Return a value as people read it in a message, cut where it gets long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
