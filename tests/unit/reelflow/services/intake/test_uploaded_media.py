"""Media that users uploaded, through the stages: what was declared, shared files, two users."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import UNKEYED, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.domain.user import User
from reelflow.exceptions import IllegalTransitionError, MediaRejectedError, PostNotTakeableError
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.prepare import validate
from reelflow.services.intake.rejection import quarantine, reject
from reelflow.services.intake.submit import create_post, media_of_user
from reelflow.services.settling.sweep import expire_sessions
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests import media_files
from tests.data_folder import data_folder
from tests.factories import ACTOR, change_post, read_post
from tests.intake_users import ANN, BOB, upload
from tests.photo_files import image
from tests.unit.reelflow.services.settling.asked_tiktok import AskedTikTok

RUN = "run"
VIOLATION = {"rule": "cover", "value": "9 s", "limit": "3 s", "fix": "choose another"}


def make(workspace: Workspace, *media: Media, user: User = ANN, account: str = "acme") -> Post:
    media_type = "video" if media[0].file_name.endswith("mp4") else "image"
    data = {"account": account, "privacy_level": "SELF_ONLY"}
    with workspace.ledger.write() as session:
        return create_post(
            session,
            user=user,
            wish=PostWish.parse(data, media_type),
            media=media_of_user(session, user, [one.id for one in media]),
            now=workspace.ledger.now(),
            actor=user.actor,
        ).post


def clip(workspace: Workspace, user: User = ANN, *, sha256: str | None = None) -> Media:
    return upload(workspace, user, content=media_files.h264_mp4().read_bytes(), sha256=sha256)


def check(workspace: Workspace, post: Post) -> str:
    return validate(workspace, post.id, run_id=RUN, actor=ACTOR)


def test_an_uploaded_file_goes_the_way_of_one_from_the_inbox(
    workspace: Workspace, account: Account
) -> None:
    post = make(workspace, clip(workspace))
    run = NormalRun(RUN, workspace.ledger.now(), timedelta(days=1))
    (entry,) = find_new_uploads(workspace, run, actor=ACTOR)
    assert (entry.post_id, entry.file_name) == (post.id, "clip.mp4")
    sha256 = check(workspace, post)
    after = read_post(workspace, post.id)
    assert (after.state, after.sha256) == (PostState.READY, sha256)


def test_a_file_that_is_not_the_one_its_sender_declared_is_rejected_with_both_values(
    workspace: Workspace, account: Account
) -> None:
    post = make(workspace, clip(workspace, sha256="0" * 64))
    with pytest.raises(MediaRejectedError) as refused:
        check(workspace, post)
    (violation,) = refused.value.violations
    digest = check(workspace, make(workspace, clip(workspace)))
    assert violation["rule"] == "sha256"
    assert violation["value"] == f"clip.mp4 has {digest}"
    assert violation["limit"] == f"{'0' * 64}, as was declared with its upload"
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code) == (PostState.REJECTED, "sha256")


def test_of_photos_the_one_that_differs_is_named(workspace: Workspace, account: Account) -> None:
    photos = [
        upload(workspace, file_name="a.jpg", content=image(shade=1), declared=True),
        upload(workspace, file_name="b.jpg", content=image(shade=2), sha256="0" * 64),
    ]
    with pytest.raises(MediaRejectedError) as refused:
        check(workspace, make(workspace, *photos))
    (violation,) = refused.value.violations
    assert violation["rule"] == "sha256"
    assert violation["value"].startswith("b.jpg has ")


def test_a_file_that_is_what_was_declared_is_taken(workspace: Workspace, account: Account) -> None:
    content = media_files.h264_mp4().read_bytes()
    media = upload(workspace, content=content, declared=True)
    assert check(workspace, make(workspace, media)) == media.declared_sha256


# One file, several posts


@pytest.mark.parametrize("state", sorted(set(PostState) - UNKEYED - {PostState.UNKNOWN}))
def test_a_rejected_posts_file_stays_while_another_post_may_publish_it(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    state: PostState,
) -> None:
    make_account("beta")
    media = clip(workspace)
    first, second = make(workspace, media), make(workspace, media, account="beta")
    change_post(workspace, second.id, state=state)
    reject(workspace, first.id, [VIOLATION], actor=ACTOR)
    is_done = state in (PostState.PUBLISHED, PostState.PUBLISHED_NO_LINK, PostState.IN_INBOX)
    assert is_quarantined(workspace, media) is is_done
    if not is_done:
        check_is_there(workspace, media)


def is_quarantined(workspace: Workspace, media: Media) -> bool:
    with workspace.ledger.read() as session:
        return session.get_one(Media, media.id).source_path.startswith("quarantine/")


def check_is_there(workspace: Workspace, media: Media) -> None:
    path: Path = data_folder(workspace).path(media.source_path)
    assert path.is_file()


def test_a_later_sweep_sets_the_file_aside_and_the_other_post_finds_it_there(
    workspace: Workspace, account: Account, make_account: Callable[..., Account]
) -> None:
    make_account("beta")
    media = clip(workspace)
    first, second = make(workspace, media), make(workspace, media, account="beta")
    reject(workspace, first.id, [VIOLATION], actor=ACTOR)
    commands.cancel(workspace, second.id, actor=ACTOR)
    expire_sessions(workspace, AskedTikTok(), actor=ACTOR, longest_put_s=1)
    assert is_quarantined(workspace, media)
    commands.retry(workspace, second.id, actor=ACTOR)
    assert not is_quarantined(workspace, media)
    assert check(workspace, second)
    quarantine(workspace, first.id)
    assert not is_quarantined(workspace, media)


# Two users


@pytest.mark.parametrize("others", [BOB, None])
def test_a_duplicate_of_another_users_post_is_cancelled_and_learns_nothing_of_it(
    workspace: Workspace, account: Account, others: User | None
) -> None:
    first = make(workspace, clip(workspace, BOB), user=BOB)
    user_id = others.id if others else None
    change_post(workspace, first.id, user_id=user_id)
    check(workspace, first)
    change_post(workspace, first.id, state=PostState.HELD, caption="secret plan")
    later = make(workspace, clip(workspace))
    with pytest.raises(PostNotTakeableError):
        check(workspace, later)
    after = read_post(workspace, later.id)
    assert (after.state, after.reason) == (
        PostState.CANCELLED,
        "duplicate of another post of this account",
    )
    held = read_post(workspace, first.id)
    assert (held.state, held.caption) == (PostState.HELD, "secret plan"), "nobody else's wishes"
    with workspace.ledger.read() as session:
        told = " ".join(row.why for row in audit.story(session, later.id))
    assert f"post {first.id}" not in told


def test_a_retry_whose_bytes_another_user_published_meanwhile_names_no_post(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    ended = make_post(account, state=PostState.FAILED, content=b"same", user_id="ann")
    theirs = make_post(account, content=b"same", user_id="bob")
    with pytest.raises(IllegalTransitionError, match="as another post of this account") as refused:
        commands.retry(workspace, ended.id, actor=ANN.actor)
    assert f"post {theirs.id}" not in str(refused.value)


def test_a_duplicate_of_ones_own_post_names_it(workspace: Workspace, account: Account) -> None:
    first = make(workspace, clip(workspace))
    check(workspace, first)
    later = make(workspace, clip(workspace))
    with pytest.raises(PostNotTakeableError):
        check(workspace, later)
    assert read_post(workspace, later.id).reason == f"duplicate of post {first.id}"
