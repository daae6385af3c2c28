from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.domain.content_types import MediaType
from reelflow.domain.media_policy import INTAKE
from reelflow.exceptions import MediaRejectedError
from reelflow.media.sniff import HEAD_BYTES
from reelflow.services.uploads.first_look import FirstLook, look_at, refuse_broken
from tests.media_files import h264_mkv, h264_mp4, portrait_mov, vp9_webm
from tests.photo_files import image

VIDEO, IMAGE = MediaType.VIDEO, MediaType.IMAGE


def look(
    content: bytes,
    name: str = "clip.mp4",
    *,
    size_bytes: int | None = None,
    media_type: MediaType | None = None,
    declared: str = "",
) -> FirstLook:
    return look_at(
        content[:HEAD_BYTES],
        size_bytes=len(content) if size_bytes is None else size_bytes,
        file_name=name,
        media_type=media_type,
        declared_type=declared,
        house=INTAKE,
    )


def rules(found: FirstLook) -> list[str]:
    return [broken.rule for broken in found.violations]


@pytest.mark.parametrize(
    ("make", "name", "content_type", "extension"),
    [
        (h264_mp4, "clip.mp4", "video/mp4", ".mp4"),
        (portrait_mov, "IMG_1.MOV", "video/quicktime", ".mov"),
        (vp9_webm, "clip.webm", "video/webm", ".webm"),
    ],
    ids=["mp4", "mov", "webm"],
)
def test_a_video_is_what_its_first_bytes_say(
    make: Callable[[], Path], name: str, content_type: str, extension: str
) -> None:
    for declared in (content_type, f"{content_type}; codecs=x", "application/octet-stream", ""):
        for media_type in (None, VIDEO):
            found = look(make().read_bytes(), name, declared=declared, media_type=media_type)
            assert rules(found) == []
            assert found.media_type is VIDEO
            assert (found.content_type, found.extension) == (content_type, extension)


@pytest.mark.parametrize(
    ("form", "name", "content_type", "extension"),
    [
        ("JPEG", "a.JPEG", "image/jpeg", ".jpg"),
        ("PNG", "a.png", "image/png", ".png"),
        ("WEBP", "a.webp", "image/webp", ".webp"),
    ],
)
def test_an_image_is_what_its_first_bytes_say(
    form: str, name: str, content_type: str, extension: str
) -> None:
    found = look(image(form), name, declared=content_type, media_type=IMAGE)
    assert rules(found) == []
    assert (found.media_type, found.extension) == (IMAGE, extension)


@pytest.mark.parametrize(
    ("content", "name", "media_type", "declared", "broken"),
    [
        (b"", "clip.mp4", VIDEO, "video/mp4", ["empty"]),
        (b"", "a.jpg", IMAGE, "image/jpeg", ["empty"]),
        (b"plain words", "clip.mp4", VIDEO, "video/mp4", ["type"]),
        (b"plain words", "clip.mp4", None, "", ["type"]),
        (b"plain words", "a.jpg", IMAGE, "image/jpeg", ["photo_type"]),
        (b"\x7fELF" + bytes(99), "a.jpg", IMAGE, "image/jpeg", ["photo_type"]),
        (b"GIF89a" + bytes(99), "a.gif", IMAGE, "image/gif", ["photo_type"]),
        (b"GIF89a" + bytes(99), "a.gif", None, "image/gif", ["photo_type"]),
        (image("PNG"), "a.jpg", IMAGE, "image/jpeg", ["content_type", "extension"]),
        (image("PNG"), "a.png", IMAGE, "image/jpeg", ["content_type"]),
        (image("PNG"), "a.png", VIDEO, "image/png", ["media_type"]),
        (image("PNG"), "a.png", None, "text/html", ["content_type"]),
    ],
)
def test_what_is_not_what_it_claims_to_be_is_refused(
    content: bytes, name: str, media_type: MediaType | None, declared: str, broken: list[str]
) -> None:
    found = look(content, name, media_type=media_type, declared=declared)
    assert rules(found) == broken
    with pytest.raises(MediaRejectedError) as caught:
        refuse_broken([found])
    assert caught.value.code == "not_this_media"
    assert [one["rule"] for one in caught.value.violations] == broken


def test_a_video_that_says_to_be_an_image_is_told_apart() -> None:
    found = look(h264_mp4().read_bytes(), "a.jpg", media_type=IMAGE, declared="image/jpeg")
    assert rules(found) == ["media_type", "content_type"]


def test_a_container_that_cannot_be_published_is_refused_at_once() -> None:
    assert rules(look(h264_mkv().read_bytes(), "clip.mkv")) == ["container"]


def test_sizes_are_held_to_the_policies_in_force() -> None:
    video = h264_mp4().read_bytes()
    assert rules(look(video, size_bytes=INTAKE.max_size_bytes)) == []
    assert rules(look(video, size_bytes=INTAKE.max_size_bytes + 1)) == ["size"]
    assert rules(look(image(), "a.jpg", size_bytes=20_000_001)) == ["size"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.mp4"),
        ("C:\\videos\\clip.mp4", "clip.mp4"),
        ("clip\r\nSet-Cookie: a.mp4", "clipSet-Cookie: a.mp4"),
        ("evil\u202e4pm.mp4", "evil4pm.mp4"),
        ("\0", "upload.mp4"),
        ("", "upload.mp4"),
        ("..", "upload.mp4"),
        ("blob", "blob.mp4"),
    ],
)
def test_names_are_data_and_have_the_extension_of_what_they_name(given: str, kept: str) -> None:
    found = look(h264_mp4().read_bytes(), given)
    assert (found.file_name, rules(found)) == (kept, [])


def test_of_several_files_each_violation_names_its_own() -> None:
    looks = [look(image(), "a.jpg"), look(b"words", "b.jpg", media_type=IMAGE), look(b"", "c.jpg")]
    with pytest.raises(MediaRejectedError, match="one of these files") as caught:
        refuse_broken(looks)
    assert [one["value"] for one in caught.value.violations] == [
        "b.jpg: text content",
        "c.jpg: 0 bytes",
    ]


def test_nobody_who_sends_over_the_api_is_told_of_folders() -> None:
    found = look(b"words", "notes.txt", media_type=IMAGE)
    assert [one.fix for one in found.violations] == [
        "send a real image; renaming does not make one"
    ]
