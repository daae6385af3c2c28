"""Real images of a few bytes, folders of them in the inbox, and photo posts in the ledger."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.post import PostKind
from reelflow.ledger import photo_images
from reelflow.ledger.models import Account, Media, Post
from reelflow.media.prepared_photo import prepare_photo
from reelflow.services.intake.prepared_copies import PreparedCopy, store_copy
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from tests import factories
from tests.data_folder import data_folder


def image(form: str = "JPEG", size: tuple[int, int] = (160, 120), *, shade: int = 0) -> bytes:
    """Return an image file; another ``shade``, from 0 to 255, gives other bytes."""
    written = io.BytesIO()
    Image.new("RGB", size, (shade, 255 - shade, shade // 2)).save(written, form)
    return written.getvalue()


def unique_image() -> bytes:
    """Return a JPEG that no other is like, and that holds nothing but its picture."""
    written = io.BytesIO()
    Image.frombytes("RGB", (16, 12), os.urandom(16 * 12 * 3)).resize((640, 480)).save(
        written, "JPEG"
    )
    return written.getvalue()


def drop_folder(
    workspace: Workspace,
    account: Account,
    name: str,
    images: Mapping[str, bytes],
    sidecar: Mapping[str, Any] | bytes | None = None,
) -> Path:
    """Put a folder into the inbox of an account, its sidecar beside it."""
    folder = data_folder(workspace).inbox / account.name / name
    folder.mkdir()
    for image_name, data in images.items():
        (folder / image_name).write_bytes(data)
    if sidecar is not None:
        data = sidecar if isinstance(sidecar, bytes) else json.dumps(sidecar).encode()
        folder.with_name(f"{name}.json").write_bytes(data)
    return folder


def make_photo_post(
    workspace: Workspace, account: Account, *, images: Sequence[bytes] = (), **fields: Any
) -> Post:
    """Add a validated photo post with its images, two of them unless given, in ``trip/``.

    :param fields: columns of the post, or arguments of :func:`tests.factories.make_post`
    """
    contents = images or [image(shade=shade) for shade in (1, 2)]
    hashes = [sha256(content).hexdigest() for content in contents]
    post = factories.make_post(
        workspace,
        account,
        content=contents[0],
        file_name="trip/1.jpg",
        facts=_facts(contents[0]),
        **{"kind": PostKind.PHOTO, "sha256": photo_post_sha256(hashes), **fields},
    )
    with workspace.ledger.write() as session:
        first = session.get_one(Media, post.media_id)
        first.duration_s = None
        rest = [
            _media(workspace, account, number, content, like=first)
            for number, content in enumerate(contents[1:], 2)
        ]
        session.add_all(rest)
        session.flush()
        photo_images.add(session, post.id, [first.id, *(media.id for media in rest)])
    return factories.read_post(workspace, post.id)


def media_of(workspace: Workspace, post: Post) -> list[Media]:
    """Return a post's files as the ledger has them now."""
    with workspace.ledger.read() as session:
        return photo_images.media_of(session, session.get_one(Post, post.id))


def give_copy(workspace: Workspace, media: Media) -> Media:
    """Make the copy of a file that TikTok gets, and return its row."""
    written = io.BytesIO()
    with workspace.folders.open(media.source_path) as source:
        facts = prepare_photo(source, written)
    copy = PreparedCopy(workspace.folders.put_prepared(media.id, written.getvalue()), facts)
    with workspace.ledger.write() as session:
        row = session.get_one(Media, media.id)
        store_copy(row, copy)
    return row


def _media(
    workspace: Workspace, account: Account, number: int, content: bytes, *, like: Media
) -> Media:
    media_id = uuid.uuid4().hex
    source = data_folder(workspace).media / f"{media_id}.jpg"
    source.write_bytes(content)
    status = source.stat()
    return Media(
        id=media_id,
        file_name=f"trip/{number}.jpg",
        inbox_path=f"{account.name}/trip/{number}.jpg",
        inbox_identity=identity_of(status),
        source_identity=identity_of(status),
        source_path=f"media/{source.name}",
        moved_at=like.moved_at,
        size_bytes=status.st_size,
        sha256=sha256(content).hexdigest() if like.sha256 else None,
        facts=_facts(content) if like.facts else None,
        validated_at=like.validated_at,
        created_at=like.created_at,
    )


def _facts(content: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
        container = str(picture.format).lower()
    return MediaFacts(
        container=container,
        kind="image",
        size_bytes=len(content),
        width=width,
        height=height,
        display_width=width,
        display_height=height,
        image_extras=() if container in ("jpeg", "webp") else None,
    ).as_dict()
