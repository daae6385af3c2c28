"""What TikTok gets of a file: never more than what is known to be fit for it."""

from __future__ import annotations

from typing import Any

import pytest

from reelflow.domain.media_facts import MediaFacts
from reelflow.exceptions import MediaUnreadableError, SourceChangedError
from reelflow.ledger.models import Account, Media
from reelflow.services.published_file import PublishedFile, open_published, published_file
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.photo_files import give_copy, image, make_photo_post, media_of


def facts(container: str, **values: object) -> dict[str, Any]:
    sides = {"width": 400, "height": 300}
    return MediaFacts(container, "image", 10, **{**sides, **values}).as_dict()  # type: ignore[arg-type]


def media(**values: object) -> Media:
    row = {"id": "1", "file_name": "trip/1.jpg", "source_path": "media/1.jpg", "size_bytes": 10}
    return Media(**{**row, "source_identity": "original", **values})


COPY = facts("jpeg", image_extras=())
PREPARED = {"prepared_path": "prepared/1.jpg", "prepared_identity": "copy", "prepared_facts": COPY}


@pytest.mark.parametrize(
    ("container", "content_type", "extension"),
    [
        ("jpeg", "image/jpeg", ".jpg"),
        ("webp", "image/webp", ".webp"),
    ],
)
def test_a_plain_photo_is_sent_itself(container: str, content_type: str, extension: str) -> None:
    assert published_file(media(facts=facts(container, image_extras=()))) == PublishedFile(
        "media/1.jpg", "original", 10, content_type, extension, is_copy=False
    )


@pytest.mark.parametrize("container", ["mp4", "mov", "webm"])
def test_a_video_is_sent_itself(container: str) -> None:
    measured = MediaFacts(container, "video", 10).as_dict()
    assert not published_file(media(facts=measured)).is_copy


@pytest.mark.parametrize(
    "original",
    [
        facts("png"),
        facts("jpeg", image_extras=("EXIF",)),
        facts("webp", image_extras=(), width=4096),
    ],
)
def test_a_copy_is_sent_in_place_of_its_original(original: dict[str, Any]) -> None:
    prepared = {**PREPARED, "prepared_facts": {**COPY, "size_bytes": 7}}
    assert published_file(media(facts=original, **prepared)) == PublishedFile(
        "prepared/1.jpg", "copy", 7, "image/jpeg", ".jpg", is_copy=True
    )
    for missing in PREPARED:
        with pytest.raises(MediaUnreadableError, match="has no copy for TikTok") as refused:
            published_file(media(facts=original, **{**PREPARED, missing: None}))
        assert refused.value.code == "not_publishable"


@pytest.mark.parametrize(
    "measured",
    [
        None,
        {},
        facts("jpeg"),  # as a version before copies stored it
        {name: value for name, value in facts("jpeg").items() if name != "image_extras"},
        MediaFacts("mkv", "video", 10).as_dict(),
        MediaFacts("other:gif", "other", 10).as_dict(),
    ],
)
def test_nothing_that_tiktok_must_not_get_is_sent(measured: dict[str, Any] | None) -> None:
    with pytest.raises(MediaUnreadableError, match="validate its post first"):
        published_file(media(facts=measured))


def test_what_is_opened_is_the_copy_and_it_alone_must_be_as_it_was(
    workspace: Workspace, account: Account
) -> None:
    post = make_photo_post(workspace, account, images=[image("PNG")])
    row = give_copy(workspace, media_of(workspace, post)[0])
    data_folder(workspace).path(row.source_path).unlink()
    with open_published(workspace, row, post_id=post.id) as source:
        assert source.read_at(0, 3) == b"\xff\xd8\xff"
    path = data_folder(workspace).path(str(row.prepared_path))
    for harm in (lambda: path.write_bytes(b"\xff\xd8\xff"), path.unlink, path.mkdir):
        harm()
        with (
            pytest.raises(MediaUnreadableError, match="was deleted or changed") as lost,
            open_published(workspace, row, post_id=post.id),
        ):
            pass
        assert lost.value.code == "copy_lost"


def test_of_a_plain_photo_the_source_is_opened(workspace: Workspace, account: Account) -> None:
    post = make_photo_post(workspace, account, images=[image()])
    row = media_of(workspace, post)[0]
    with open_published(workspace, row, post_id=post.id) as source:
        assert source.read_at(0, 1 << 20) == image()
    data_folder(workspace).path(row.source_path).write_bytes(b"other")
    with (
        pytest.raises(SourceChangedError, match="changed after it was taken"),
        open_published(workspace, row, post_id=post.id),
    ):
        pass
