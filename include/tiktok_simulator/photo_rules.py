"""Pure checks of a photo post's init call (D-PH)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tiktok_simulator.publication import Kind, Pull
from tiktok_simulator.rules import check_fields, check_length, check_privacy, refuse

MAX_TITLE_UTF16_UNITS = 90
MAX_DESCRIPTION_UTF16_UNITS = 4000
MAX_IMAGES = 35

_KINDS: Mapping[str, Kind] = {"DIRECT_POST": "direct", "MEDIA_UPLOAD": "draft"}
_SCOPES: Mapping[Kind, str] = {"direct": "video.publish", "draft": "video.upload"}
_BODY_TYPES: Mapping[str, type | range] = {
    "media_type": str,
    "post_mode": str,
    "post_info": dict,
    "source_info": dict,
    "is_aigc": bool,  # here at the top, unlike a video's
}
# Neither brand toggle is enforced, though D-PH marks both as required: see the table for videos.
_POST_INFO_TYPES: Mapping[str, type | range] = {
    "title": str,
    "description": str,
    "privacy_level": str,
    "disable_comment": bool,
    "auto_add_music": bool,
    "brand_content_toggle": bool,
    "brand_organic_toggle": bool,
}
_SOURCE_INFO_TYPES: Mapping[str, type | range] = {
    "source": str,
    "photo_images": list,
    "photo_cover_index": range(-(2**31), 2**31),
}


@dataclass(frozen=True)
class PhotoPost:
    """A photo post as its init call asks for it.

    :param post_info: with ``is_aigc``, which the call has at its top level.
    """

    kind: Kind
    post_info: dict[str, Any]
    pull: Pull

    @property
    def scope(self) -> str:
        """What the token must hold for this mode (D-PH, "Scope")."""
        return _SCOPES[self.kind]


def parse_photo_post(body: Mapping[str, Any], privacy_level_options: Collection[str]) -> PhotoPost:
    """Return a photo post (D-PH, "Request").

    In the mode MEDIA_UPLOAD only title and description mean something; the other fields of
    ``post_info`` are accepted and do nothing.

    :param privacy_level_options: what creator_info offers this creator now.
    """
    check_fields("the request body", body, _BODY_TYPES)
    if body.get("media_type") != "PHOTO":
        refuse("The media_type must be PHOTO")
    kind = _KINDS.get(body.get("post_mode", ""))
    if kind is None:
        refuse("The post_mode must be DIRECT_POST or MEDIA_UPLOAD")
    post_info = dict(body.get("post_info", {}))
    check_fields("post_info", post_info, _POST_INFO_TYPES)
    check_length("title", post_info.get("title", ""), MAX_TITLE_UTF16_UNITS)
    check_length("description", post_info.get("description", ""), MAX_DESCRIPTION_UTF16_UNITS)
    pull = _parse_source_info(body.get("source_info", {}))
    if kind == "direct":
        check_privacy(post_info, privacy_level_options)
    if "is_aigc" in body:
        post_info["is_aigc"] = body["is_aigc"]
    return PhotoPost(kind, post_info, pull)


def _parse_source_info(source_info: Mapping[str, Any]) -> Pull:
    check_fields("source_info", source_info, _SOURCE_INFO_TYPES)
    if source_info.get("source") != "PULL_FROM_URL":
        refuse("The source must be PULL_FROM_URL")
    urls = source_info.get("photo_images", [])
    if not 1 <= len(urls) <= MAX_IMAGES or not all(isinstance(one, str) for one in urls):
        refuse(f"The photo_images must be a list of 1 to {MAX_IMAGES} urls")
    cover_index = source_info.get("photo_cover_index", -1)
    if not 0 <= cover_index < len(urls):  # out of range: U
        refuse("The photo_cover_index is required and must be the index of an image")
    return Pull(tuple(urls), cover_index)
