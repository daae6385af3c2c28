"""The schema of posts, and what is really taken."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from reelflow.api.post_body import NewPostBody, PostChangesBody, PostFieldsBody
from reelflow.domain.post import PostKind
from reelflow.exceptions import TerminalError
from reelflow.services.intake.post_wish import PostWish, editable_fields

NEW: dict[str, Any] = TypeAdapter(NewPostBody).json_schema()
OF_UPLOAD: dict[str, Any] = TypeAdapter(PostFieldsBody).json_schema()
CHANGES: dict[str, Any] = TypeAdapter(PostChangesBody).json_schema()


@pytest.mark.parametrize("schema", [NEW, OF_UPLOAD, CHANGES])
def test_a_schema_stands_by_itself(schema: dict[str, Any]) -> None:
    assert "$ref" not in str(schema)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", sorted(OF_UPLOAD["properties"]))
def test_every_field_of_the_schema_is_known_to_one_kind_of_post(name: str) -> None:
    told = []
    for media_type in ("video", "image"):
        try:
            PostWish.parse({"account": "a", "privacy_level": "SELF_ONLY", name: None}, media_type)
        except TerminalError as refused:
            told.append(str(refused))
        else:
            return
    assert not all("does nothing" in one or "unknown field" in one for one in told)


def test_what_can_be_changed_is_what_the_schema_of_a_change_has() -> None:
    editable = {name for kind in PostKind for name in editable_fields(kind)}
    assert set(CHANGES["properties"]) == editable


def test_a_new_post_has_media_beside_the_fields_of_an_uploads_post() -> None:
    added = set(NEW["properties"]) - set(OF_UPLOAD["properties"])
    assert added == {"media_ids", "kind"}
    assert NEW["properties"]["privacy_level"]["anyOf"][0]["enum"][0] == "PUBLIC_TO_EVERYONE"
