"""What callers send to make a post or to change one, as the schema describes it.

The rules are those of a sidecar, and are checked by
:class:`~reelflow.services.intake.post_wish.PostWish` alone: an upload may carry a post, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import WithJsonSchema

from reelflow.domain.sidecar import PhotoFields, VideoFields

_DESCRIPTIONS: Final = {
    "caption": "Text of the post: 2,200 UTF-16 units for a video, 4,000 for photos.",
    "privacy_level": "Who may watch; needed unless `mode` is `draft`. There is no default.",
    "publish_at": "When it goes out, in ISO 8601 with a time zone; none means now.",
    "mode": "Published at once, or left in the creator's inbox as a draft.",
    "repost": "Publish bytes once more that went to this account already.",
    "cover_timestamp_ms": "Of a video: the frame that becomes its cover.",
    "cover_index": "Of photos: which is the cover; the first is 0.",
    "title": "Of photos: stands above the caption; 90 UTF-16 units.",
    "auto_add_music": "Of photos: let TikTok choose music.",
    "disable_duet": "Of a video.",
    "disable_stitch": "Of a video.",
}


def _fields() -> dict[str, Any]:
    """Return the schema of every field of a post, of either kind."""
    found: dict[str, Any] = {}
    for model in (VideoFields, PhotoFields):
        schema = model.model_json_schema()
        for name, field in schema["properties"].items():
            found.setdefault(name, _inlined(field, schema.get("$defs", {})))
    del found["images"], found["approval"]  # of folders; and of what is made, not changed
    for name, told in _DESCRIPTIONS.items():
        found[name]["description"] = told
    return found


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema in which nothing refers to what stands elsewhere."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        definition = definitions[schema["$ref"].rpartition("/")[2]]
        return {name: definition[name] for name in ("type", "enum") if name in definition}
    kept = {name: value for name, value in schema.items() if name != "title" or value is not str}
    return {name: _inlined(value, definitions) for name, value in kept.items()}


_POST: Final = {
    "account": {"type": "string", "description": "Name of the account that it goes to."},
    "approval": {
        "type": "boolean",
        "default": False,
        "description": "Hold it until a person approves it.",
    },
    **_fields(),
}
_MEDIA: Final = {
    "media_ids": {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": 35,
        "default": [],
        "description": "One video, or photos in their order. None: it waits for an upload.",
    },
    "kind": {
        "type": "string",
        "enum": ["video", "photo"],
        "description": "What it is to be; needed without `media_ids`.",
    },
}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


#: The post that an upload is to become.
PostFieldsBody: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(_object(_POST, "account"))]
#: A post of media that were uploaded, or before they are.
NewPostBody: TypeAlias = Annotated[
    dict[str, Any], WithJsonSchema(_object({**_POST, **_MEDIA}, "account"))
]
#: What becomes other than it was.
PostChangesBody: TypeAlias = Annotated[
    dict[str, Any],
    WithJsonSchema(_object({k: v for k, v in _fields().items() if k != "repost"})),
]
