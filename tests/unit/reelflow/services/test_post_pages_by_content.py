"""Posts by the hash of their content, read or only told: what `reelflow submit` asks first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import pytest

from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.user import User
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import create_post, media_of_user
from reelflow.services.post_pages import PostFilter, list_page
from reelflow.services.workspace import Workspace
from tests import photo_files
from tests.intake_users import ADMIN, ANN, BOB, upload
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

CONTENTS = (b"first", b"second")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def submit(
    workspace: Workspace, contents: Sequence[bytes], name: str, *, declared: bool = True
) -> int:
    """Make a post of Ann's of files that nobody has read yet."""
    files = [upload(workspace, content=one, file_name=name, declared=declared) for one in contents]
    media_type = "image" if name.endswith(".jpg") else "video"
    data = {"account": "acme", "privacy_level": "SELF_ONLY"}
    with workspace.ledger.write() as session:
        media = media_of_user(session, ANN, [one.id for one in files])
        wish = PostWish.parse(data, media_type)
        now = workspace.ledger.now()
        made = create_post(session, user=ANN, wish=wish, media=media, now=now, actor="tests")
        return made.post.id


def found(workspace: Workspace, sha256: str, user: User = ANN, **more: str) -> list[int]:
    page = list_page(workspace, user, PostFilter(sha256=sha256, **more), after_id=None, limit=9)  # type: ignore[arg-type]
    assert all(row["sha256"] == sha256 for row in page.rows)
    return [row["id"] for row in page.rows]


@pytest.mark.usefixtures("account")
def test_what_nobody_has_read_yet_is_found_by_what_its_sender_told(workspace: Workspace) -> None:
    video = submit(workspace, CONTENTS[:1], "clip.mp4")
    photos = submit(workspace, CONTENTS, "1.jpg")
    photo = submit(workspace, CONTENTS[:1], "1.jpg")
    hashes = [digest(one) for one in CONTENTS]
    assert found(workspace, hashes[0]) == [video]
    assert found(workspace, photo_post_sha256(hashes)) == [photos]
    assert found(workspace, photo_post_sha256(hashes[:1])) == [photo]
    assert found(workspace, photo_post_sha256(hashes[::-1])) == []
    assert found(workspace, hashes[1]) == []


def test_what_was_read_is_found_by_that(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    video = make_post(account, content=CONTENTS[0], user_id="ann")
    images = [photo_files.image(shade=shade) for shade in (1, 2)]
    photos = photo_files.make_photo_post(workspace, account, images=images, user_id="ann")
    assert found(workspace, digest(CONTENTS[0])) == [video.id]
    assert found(workspace, photo_post_sha256([digest(one) for one in images])) == [photos.id]


@pytest.mark.usefixtures("account")
def test_what_nobody_told_of_is_not_found(workspace: Workspace) -> None:
    submit(workspace, CONTENTS[:1], "clip.mp4", declared=False)
    submit(workspace, CONTENTS, "1.jpg", declared=False)
    assert found(workspace, digest(CONTENTS[0])) == []


@pytest.mark.usefixtures("account")
def test_what_others_only_told_of_theirs_is_not_believed(workspace: Workspace) -> None:
    video = submit(workspace, CONTENTS[:1], "clip.mp4")
    assert found(workspace, digest(CONTENTS[0])) == [video]
    assert found(workspace, digest(CONTENTS[0]), ADMIN) == []


def test_other_filters_and_owners_hold_as_well(
    workspace: Workspace, make_account: Callable[..., Account], make_post: Callable[..., Post]
) -> None:
    acme, beta = make_account("acme"), make_account("beta")
    posts = [make_post(account, content=b"same", user_id="ann").id for account in (acme, beta)]
    sha256 = digest(b"same")
    assert found(workspace, sha256) == found(workspace, sha256, ADMIN) == posts[::-1]
    assert found(workspace, sha256, account="beta") == posts[1:]
    assert found(workspace, sha256, BOB) == []
