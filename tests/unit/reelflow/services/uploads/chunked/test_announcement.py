from __future__ import annotations

from typing import Any

import pytest

from reelflow.domain.content_types import MediaType
from reelflow.domain.media_policy import INTAKE
from reelflow.exceptions import TerminalError
from reelflow.services.uploads.chunked.announcement import Announcement, check_announcement


def announced(**changes: Any) -> Announcement:
    values: dict[str, Any] = {
        "file_name": "clip.mp4",
        "size_bytes": 1000,
        "content_type": "video/mp4",
        "media_type": MediaType.VIDEO,
    }
    return Announcement(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "content_type", "extension"),
    [
        ({}, "video/mp4", ".mp4"),
        ({"content_type": "VIDEO/QuickTime; codecs=x"}, "video/quicktime", ".mov"),
        ({"content_type": "application/octet-stream"}, "video/mp4", ".mp4"),
        ({"content_type": "", "file_name": "a.MOV"}, "video/quicktime", ".mov"),
        (
            {"content_type": "image/jpg", "media_type": MediaType.IMAGE},
            "image/jpeg",
            ".jpg",
        ),
    ],
)
def test_the_type_is_what_is_declared_or_else_what_the_name_says(
    changes: dict[str, Any], content_type: str, extension: str
) -> None:
    found = check_announcement(announced(**changes), INTAKE)
    assert (found.content_type, found.extension) == (content_type, extension)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": "text/html"},
        {"content_type": "image/jpeg"},
        {"media_type": MediaType.IMAGE},
        {"content_type": "", "file_name": "clip"},
        {"content_type": "application/octet-stream", "file_name": "photo.jpg"},
        {"content_type": "video/mp4\0" * 100},
    ],
)
def test_a_type_that_is_not_taken_as_this_is_refused_with_those_that_are(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(TerminalError) as refused:
        check_announcement(announced(**changes), INTAKE)
    assert refused.value.code == "unsupported_media_type"
    assert refused.value.context["supported"]


def test_a_file_larger_than_any_that_validates_is_refused_before_its_bytes_come() -> None:
    limit = INTAKE.max_size_bytes
    check_announcement(announced(size_bytes=limit), INTAKE)
    with pytest.raises(TerminalError) as refused:
        check_announcement(announced(size_bytes=limit + 1), INTAKE)
    assert (refused.value.code, refused.value.context["limit"]) == ("file_too_large", limit)


def test_an_image_has_the_limit_of_images() -> None:
    photo = {"content_type": "image/png", "media_type": MediaType.IMAGE}
    check_announcement(announced(size_bytes=20_000_000, **photo), INTAKE)
    with pytest.raises(TerminalError, match="may have 20000000"):
        check_announcement(announced(size_bytes=20_000_001, **photo), INTAKE)
