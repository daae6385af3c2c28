"""Pure checks of what a JSON call sends; each raises with TikTok's code, status and message."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from tiktok_simulator.chunks import Megabyte, UploadPlan, check_chunk_plan
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.json_text import read_json
from tiktok_simulator.publication import Pull

MAX_TITLE_UTF16_UNITS = 2200  # D-DP, post_info.title: "UTF-16 runes"

_JSON_TYPE = re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE)
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
# D-DP, "Request", table post_info. Neither brand toggle is enforced: D-DP marks one of them as
# required and leaves both out of its own example.
_POST_INFO_TYPES: Mapping[str, type | range] = {
    "privacy_level": str,
    "title": str,
    "disable_duet": bool,
    "disable_stitch": bool,
    "disable_comment": bool,
    "video_cover_timestamp_ms": _INT32,  # any value passes: a useless one means the first frame
    "brand_content_toggle": bool,
    "brand_organic_toggle": bool,
    "is_aigc": bool,
}
# D-DP and D-UP, "Request", table source_info.
_SOURCE_INFO_TYPES: Mapping[str, type | range] = {
    "source": str,
    "video_url": str,
    "video_size": _INT64,
    "chunk_size": _INT64,
    "total_chunk_count": _INT64,
}


def bearer_token(authorization: str | None) -> str:
    """Return the token of an Authorization header (D-ERR: else 401 ``access_token_invalid``)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme != "Bearer" or not token or token != token.strip():
        raise ApiError(
            "access_token_invalid",
            "The access token is invalid or not found in the request.",
        )
    return token


def require_scope(granted: Collection[str], accepted: Collection[str]) -> None:
    """Refuse a token that holds none of the accepted scopes (D-DP, D-UP, D-CI, D-ST: "Scope")."""
    if not set(granted) & set(accepted):
        raise ApiError("scope_not_authorized", "The user did not authorize the scope required.")


def json_object(content_type: str | None, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request body (D-DP: ``application/json; charset=UTF-8``)."""
    if not _JSON_TYPE.fullmatch((content_type or "").strip()):
        refuse("The Content-Type must be application/json; charset=UTF-8")
    try:
        value = read_json(body)
    except ValueError:
        refuse("The request body is not valid JSON")
    if not isinstance(value, dict):
        refuse("The request body must be a JSON object")
    return value


def check_creator_info(content_type: str | None, body: bytes) -> None:
    """Accept no body or ``{}`` (D-CI names no field; clients send either)."""
    if body:
        check_fields("the request body", json_object(content_type, body), {})


def parse_publish_id(body: Mapping[str, Any]) -> str:
    """Return the ``publish_id`` of a status or cancel request (D-ST, D-MTG: its one field)."""
    check_fields("the request body", body, {"publish_id": str})
    publish_id = body.get("publish_id")
    if not isinstance(publish_id, str) or not publish_id:
        refuse("The publish_id is required")
    return publish_id


def parse_direct_post(
    body: Mapping[str, Any], privacy_level_options: Collection[str], megabyte: Megabyte = "both"
) -> tuple[dict[str, Any], UploadPlan | Pull]:
    """Return ``post_info`` and the source of a direct post (D-DP, "Request").

    :param privacy_level_options: what creator_info offers this creator now.
    :param megabyte: which reading of "MB" the chunk limits follow.
    """
    check_fields("the request body", body, {"post_info": dict, "source_info": dict})
    post_info = body.get("post_info")
    if post_info is None:
        refuse("The post_info is required")
    check_fields("post_info", post_info, _POST_INFO_TYPES)
    check_length("title", post_info.get("title", ""), MAX_TITLE_UTF16_UNITS)
    check_privacy(post_info, privacy_level_options)
    return dict(post_info), _parse_source_info(body, megabyte)


def parse_draft(body: Mapping[str, Any], megabyte: Megabyte = "both") -> UploadPlan | Pull:
    """Return the source of a draft (D-UP); ``post_info`` is ignored, as seen in real traffic."""
    check_fields("the request body", body, {"post_info": object, "source_info": dict})
    return _parse_source_info(body, megabyte)


def _parse_source_info(body: Mapping[str, Any], megabyte: Megabyte) -> UploadPlan | Pull:
    """Return the source of a video: all fields of its kind, none of the other (D-DP, D-UP)."""
    source_info = body.get("source_info")
    if source_info is None:
        refuse("The source_info is required")
    check_fields("source_info", source_info, _SOURCE_INFO_TYPES)
    source = source_info.get("source")
    if source == "PULL_FROM_URL" and source_info.keys() == {"source", "video_url"}:
        return Pull((source_info["video_url"],))
    if source != "FILE_UPLOAD" or "video_url" in source_info:
        refuse("The source is invalid")
    numbers = [source_info.get(name) for name in ("video_size", "chunk_size", "total_chunk_count")]
    if None in numbers:
        refuse("The video_size, chunk_size and total_chunk_count are required")
    plan = UploadPlan(*numbers)
    check_chunk_plan(plan, megabyte)
    return plan


def check_length(name: str, text: str, most: int) -> None:
    """Refuse a text of more UTF-16 units than ``most`` (D-DP, D-PH: "UTF-16 runes")."""
    units = len(text.encode("utf-16-le")) // 2
    if units > most:
        refuse(f"The {name} has {units} UTF-16 units, at most {most} are allowed")


def check_privacy(post_info: Mapping[str, Any], options: Collection[str]) -> None:
    """Refuse a privacy level that is missing or not offered (D-DP, D-PH)."""
    level = post_info.get("privacy_level")
    if level not in options:  # D-DP: also when it is missing
        raise ApiError("privacy_level_option_mismatch", "The privacy level is not in the options")
    if level == "SELF_ONLY" and post_info.get("brand_content_toggle"):
        # D-CSG, "Content Disclosure Setting"; the API's own code for it is unknown.
        refuse("Branded content visibility cannot be set to private")


def check_fields(name: str, value: Any, types: Mapping[str, type | range]) -> None:
    """Refuse a field that is not in the table, or of another type (U: TikTok may be lenient).

    :param name: of the object, for the message.
    :param types: by field; a range also bounds an integer.
    """
    for field, content in value.items():
        if field not in types:
            refuse(f"Unknown field {field!r} in {name}")
        expected = types[field]
        if isinstance(expected, range):
            fits = type(content) is int and content in expected
        else:
            fits = isinstance(content, expected)
        if not fits:
            refuse(f"The type of {field} in {name} is invalid")


def refuse(message: str) -> NoReturn:
    """Refuse a body that fails validation (D-ERR: ``invalid_params``)."""
    raise ApiError("invalid_params", message)
