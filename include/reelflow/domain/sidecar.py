"""The sidecar: what ``<file>.json`` beside an inbox file may say, and how it is checked."""

from __future__ import annotations

import codecs
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, ValidationError
from pydantic import model_validator as model_rule

from reelflow.domain.post import PostMode, PrivacyLevel
from reelflow.exceptions import SidecarError

#: Longest caption of a video, in UTF-16 units (content-posting-api-reference-direct-post).
CAPTION_MAX_UTF16_UNITS = 2200
#: Outside of these, a year is a slip of the pen; near 1 and 9999 it has no UTC time at all.
_YEARS = range(2000, 2100)
#: A sidecar larger than this is not one.
SIDECAR_MAX_BYTES = 64 * 1024


def utf16_units(text: str) -> int:
    """Return the length of a text as TikTok counts it."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


class PostFields(BaseModel):
    """What a person wishes for one post; every field is optional, an unknown one is an error.

    ``privacy_level`` has no default: TikTok forbids to choose one for the creator.
    ``publish_at`` needs a time zone; none means now.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    caption: str = ""
    privacy_level: PrivacyLevel | None = None
    publish_at: Annotated[AwareDatetime, Field(strict=True)] | None = None
    disable_comment: StrictBool = False
    disable_duet: StrictBool = False
    disable_stitch: StrictBool = False
    brand_content_toggle: StrictBool = False
    brand_organic_toggle: StrictBool = False
    is_aigc: StrictBool = False
    cover_timestamp_ms: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)] | None = None
    mode: PostMode = PostMode.DIRECT
    repost: StrictBool = False

    @model_rule(mode="after")
    def _check_together(self) -> PostFields:
        if "\0" in self.caption:  # PostgreSQL cannot store it, and no caption needs it
            raise ValueError("caption has a NUL character: leave it out")
        if self.publish_at is not None and self.publish_at.year not in _YEARS:
            raise ValueError(
                f"publish_at is in the year {self.publish_at.year}: years from {_YEARS[0]} to "
                f"{_YEARS[-1]} are taken"
            )
        units = utf16_units(self.caption)
        if units > CAPTION_MAX_UTF16_UNITS:
            raise ValueError(
                f"caption has {units} UTF-16 units, TikTok takes {CAPTION_MAX_UTF16_UNITS}: "
                f"shorten it by {units - CAPTION_MAX_UTF16_UNITS}"
            )
        # content-sharing-guidelines: branded content cannot be private.
        if self.brand_content_toggle and self.privacy_level is PrivacyLevel.SELF_ONLY:
            raise ValueError(
                "brand_content_toggle needs a visible post: choose another privacy_level "
                "than SELF_ONLY"
            )
        return self


def parse_sidecar(data: bytes) -> PostFields:
    """Read a sidecar.

    :raises SidecarError: naming each field that is wrong, with its value and what it takes
    """
    if len(data) > SIDECAR_MAX_BYTES:
        raise SidecarError(
            f"the sidecar has {len(data)} bytes, at most {SIDECAR_MAX_BYTES} are read: "
            "keep only the fields of a post in it"
        )
    try:
        return PostFields.model_validate_json(data.removeprefix(codecs.BOM_UTF8))
    except ValidationError as exc:
        raise SidecarError("the sidecar cannot be used: " + "; ".join(_sentences(exc))) from None


def _sentences(exc: ValidationError) -> list[str]:
    sentences = []
    for error in exc.errors(include_url=False):
        field = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            known = ", ".join(PostFields.model_fields)
            sentences.append(f"unknown field {_short(field)} (known: {known})")
        elif error["type"] == "timezone_aware":
            sentences.append(f"{field} {_short(error['input'])} has no time zone: add Z or +02:00")
        elif field:
            sentences.append(f"{field} is {_short(error['input'])}: {error['msg']}")
        else:
            sentences.append(error["msg"].removeprefix("Value error, "))
    return sentences


def _short(value: object) -> str:
    """Return a value as people read it in a message, cut where it gets long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
