from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from reelflow.domain.post import PostState
from reelflow.ledger import quotas
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import make_post, read_post
from tests.known_users import ANNA, BEN, CARL
from tests.media_files import h264_mp4
from tests.photo_files import image
from tests.unit.reelflow.api.conftest import Web

VIDEO = h264_mp4().read_bytes
WISH = {"account": "acme", "caption": "Dawn", "privacy_level": "SELF_ONLY"}

Send = Callable[..., httpx.Response]


@pytest.fixture
def send(web: Web) -> Send:
    """Send a file as Anna does, unless told otherwise."""

    def send(
        content: bytes | None = None,
        *,
        name: str = "clip.mp4",
        declared: str = "video/mp4",
        headers: dict[str, str] = ANNA,
        **fields: Any,
    ) -> httpx.Response:
        file = (name, VIDEO() if content is None else content, declared)
        return web.post(
            "/media/upload/simple", files={"file": file}, data=fields, headers=headers
        )

    return send


def reserved(workspace: Workspace, user_id: str = "anna") -> tuple[int, int]:
    """Return what is reserved of a user's quota: uploads and bytes, of all days."""
    with workspace.ledger.read() as session:
        rows = session.scalars(select(QuotaUse).where(QuotaUse.user_id == user_id)).all()
    return sum(row.reserved_uploads for row in rows), sum(row.reserved_bytes for row in rows)


def nothing_is_left(workspace: Workspace) -> bool:
    """Whether no object, no row and no reservation is there."""
    with workspace.ledger.read() as session:
        rows = [*session.scalars(select(Media)), *session.scalars(select(UploadSession))]
    objects = [info.key for info in workspace.folders.store.list("media")]
    begun = list(workspace.folders.store.begun())
    return not rows and not objects and not begun and reserved(workspace) == (0, 0)


def test_a_file_is_kept_byte_for_byte_and_told_of(send: Send, workspace: Workspace) -> None:
    answer = send()
    assert answer.status_code == 201
    body = answer.json()
    assert body["post"] is None
    media = body["media"]
    assert media["file_name"] == "clip.mp4"
    assert (media["media_type"], media["content_type"]) == ("video", "video/mp4")
    assert (media["state"], media["posts"]) == ("awaiting_checks", [])
    assert media["sha256"] == hashlib.sha256(VIDEO()).hexdigest()
    with workspace.ledger.read() as session:
        row = session.get_one(Media, media["media_id"])
    assert row.user_id == "anna"
    assert data_folder(workspace).path(row.source_path).read_bytes() == VIDEO()
    assert row.source_path == f"media/{row.id}.mp4"
    assert reserved(workspace) == (0, 0)
