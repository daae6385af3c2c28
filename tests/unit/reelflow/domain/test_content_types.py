from __future__ import annotations

import pytest

from reelflow.domain.content_types import (
    CONTENT_TYPES,
    MediaType,
    container_declared,
    container_named,
    extensions_of,
    media_type_of,
)
from reelflow.domain.media_facts import IMAGE_CONTAINERS, VIDEO_EXTENSIONS


def test_every_container_that_can_be_told_apart_has_a_content_type() -> None:
    assert set(CONTENT_TYPES) == set(VIDEO_EXTENSIONS) | IMAGE_CONTAINERS


@pytest.mark.parametrize("container", list(CONTENT_TYPES))
def test_names_and_content_types_lead_back_to_their_container(container: str) -> None:
    kind = CONTENT_TYPES[container].partition("/")[0]
    assert media_type_of(container) is MediaType(kind)
    assert container_declared(CONTENT_TYPES[container].upper() + "; charset=x") == container
    for extension in extensions_of(container):
        assert container_named(f"a.b{extension.upper()}") == container


def test_what_is_none_of_ours_leads_nowhere() -> None:
    assert container_named("notes.txt") is None
    assert container_named("mp4") is None
    assert container_declared("text/html") is None
    assert media_type_of("other:text") is None


def test_browsers_own_names_are_known() -> None:
    assert container_declared("image/jpg") == "jpeg"
    assert container_declared("video/avi") == "avi"
