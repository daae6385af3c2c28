"""Registering photo folders: one post each, in one transaction, whatever dies in between."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, batches
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.moves import finish_moves
from reelflow.services.intake.prepare import content_sha256
from reelflow.services.intake.register import register_inbox
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, read_post, waiting_work
from tests.photo_files import drop_folder, image, media_of

ONE, TWO, TEN = (image(shade=shade) for shade in (1, 2, 10))
TRIP = {"img10.jpg": TEN, "img2.jpg": TWO, "img1.jpg": ONE}


def register(workspace: Workspace) -> list[Post]:
    run = NormalRun("run", workspace.ledger.now(), workspace.rules.max_lateness)
    ids = register_inbox(workspace, run=run, actor=ACTOR)
    return [read_post(workspace, post_id) for post_id in ids]


def names(workspace: Workspace, post: Post) -> list[str]:
    return [media.file_name for media in media_of(workspace, post)]


def inbox(workspace: Workspace) -> list[str]:
    folder = data_folder(workspace).inbox
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def all_posts(workspace: Workspace) -> list[Post]:
    with workspace.ledger.read() as session:
        return list(session.scalars(select(Post).order_by(Post.id)))


def test_a_folder_becomes_one_photo_post_in_the_order_people_count(
    workspace: Workspace, account: Account
) -> None:
    drop_folder(workspace, account, "trip", TRIP)
    assert len(waiting_work(workspace)) == 1
    (post,) = register(workspace)
    assert (post.kind, post.state, post.privacy_level) == (PostKind.PHOTO, "READY", "SELF_ONLY")
    assert (post.title, post.caption, post.photo_cover_index) == (None, "", 0)
    assert names(workspace, post) == ["trip/img1.jpg", "trip/img2.jpg", "trip/img10.jpg"]
    files = media_of(workspace, post)
    assert post.media_id == files[0].id
    assert [data_folder(workspace).path(m.source_path).read_bytes() for m in files] == [
        ONE,
        TWO,
        TEN,
    ]
    assert {media.moved_at for media in files} == {workspace.ledger.now()}
    assert inbox(workspace) == ["acme"]
    assert register(workspace) == []
    with workspace.ledger.read() as session:
        assert list(batches.post_ids(session, "run")) == [post.id]
        (row,) = audit.story(session, post.id)
    assert row.why == "registered from inbox/acme/trip (3 images): found in the inbox"


def test_a_sidecars_wishes_are_kept_and_it_leaves_the_inbox(
    workspace: Workspace, account: Account
) -> None:
    wishes: dict[str, Any] = {
        "title": "Lake",
        "caption": "Hi",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "auto_add_music": True,
        "disable_comment": True,
        "is_aigc": True,
        "mode": "draft",
        "repost": True,
    }
    order = ["img2.jpg", "img10.jpg", "img1.jpg"]
    sidecar = {**wishes, "images": order, "cover_index": 2}
    drop_folder(workspace, account, "trip", TRIP, sidecar)
    (post,) = register(workspace)
    assert {name: getattr(post, name) for name in wishes} == {**wishes, "mode": PostMode.DRAFT}
    assert post.photo_cover_index == 2
    assert names(workspace, post) == [f"trip/{name}" for name in order]
    assert inbox(workspace) == ["acme"]
    kept = data_folder(workspace).path(post.media.source_path)
    assert kept.with_name(f"{kept.name}.json").is_file()


def test_one_image_is_told_as_one(workspace: Workspace, account: Account) -> None:
    drop_folder(workspace, account, "one", {"a.jpg": ONE})
    drop_folder(workspace, account, "cover", {"a.jpg": TWO}, {"cover_index": 1})
    cover, one = register(workspace)
    assert "cover_index is 1, but the folder holds 1 image, which is number 0" in cover.reason
    with workspace.ledger.read() as session:
        (row,) = audit.story(session, one.id)
    assert row.why == "registered from inbox/acme/one (1 image): found in the inbox"


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        (b"{", "the sidecar cannot be used: "),
        ({"disable_duet": True}, "disable_duet is for videos only"),
        ({"cover_index": 3}, "cover_index is 3, but the folder holds 3 images"),
        ({"images": ["img1.jpg", "img2.jpg"]}, "'img10.jpg' is in the folder but not named"),
        ({"images": [*TRIP, "img3.jpg"]}, "'img3.jpg' is not in the folder"),
    ],
)
def test_a_sidecar_that_cannot_be_used_rejects_the_post_with_all_its_files(
    workspace: Workspace, account: Account, sidecar: Any, told: str
) -> None:
    drop_folder(workspace, account, "trip", TRIP, sidecar)
    (post,) = register(workspace)
    assert (post.state, post.reason_code) == (PostState.REJECTED, "sidecar")
    assert told in post.reason
    assert post.fix == "correct trip.json and put folder and sidecar into the inbox again"
    aside = data_folder(workspace).quarantine / "acme"
    assert sorted(str(p.relative_to(aside)) for p in aside.rglob("*")) == sorted(
        [f"{post.id}", f"{post.id}.json", f"{post.id}.reason.json"]
        + [f"{post.id}/00{number}.jpg" for number in (1, 2, 3)]
    )
    assert inbox(workspace) == ["acme"]


def test_without_a_privacy_level_it_is_held_and_its_content_known(
    workspace: Workspace, make_account: Callable[..., Account]
) -> None:
    drop_folder(workspace, make_account(inbox_privacy_level=None), "trip", TRIP)
    (post,) = register(workspace)
    assert (post.state, post.reason_code) == (PostState.HELD, "no_privacy")
    with workspace.ledger.read() as session:
        assert post.sha256 == content_sha256(session, post)
    assert all(media.sha256 for media in media_of(workspace, post))


def test_links_and_pipes_in_a_folder_are_taken_and_never_opened(
    workspace: Workspace, account: Account
) -> None:
    folder = drop_folder(workspace, account, "trip", {"a.jpg": ONE})
    (folder / "b.jpg").symlink_to("/etc/hostname")
    os.mkfifo(folder / "c.jpg")
    (post,) = register(workspace)
    assert names(workspace, post) == ["trip/a.jpg", "trip/b.jpg", "trip/c.jpg"]
    assert inbox(workspace) == ["acme"]


@pytest.mark.parametrize(
    "name", [b"a\n\x1b[31mb", b"caf\xe9", b"a" * 250, b"%2e%2e", b"$(touch x)", b"-x", b"x.jpg"]
)
def test_any_folder_name_is_shown_safely_and_never_becomes_a_path(
    workspace: Workspace, account: Account, name: bytes
) -> None:
    drop_folder(workspace, account, os.fsdecode(name), {"a" * 100 + ".jpg": ONE})
    (post,) = register(workspace)
    (shown,) = names(workspace, post)
    assert shown.isprintable()
    assert shown.endswith("a.jpg")
    assert len(shown) <= 255
    assert post.media.source_path == f"media/{post.media_id}.jpg"
    assert inbox(workspace) == ["acme"]


@pytest.mark.parametrize(
    ("files", "inner", "told"),
    [
        ([], [], "holds no image: put the images of one post into it, or delete it"),
        ([".DS_Store"], [], "holds no image"),
        (["a.jpg"], ["more"], "holds the folder more: put the images of one post side by side"),
        ([f"{number}.jpg" for number in range(351)], [], "holds 351 files: make folders of at"),
    ],
)
def test_a_folder_that_cannot_become_a_post_waits_and_is_reported(
    workspace: Workspace,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    files: list[str],
    inner: list[str],
    told: str,
) -> None:
    folder = drop_folder(workspace, account, "trip", dict.fromkeys(files, ONE))
    for name in inner:
        (folder / name).mkdir()
    assert register(workspace) == []
    assert f"inbox/acme/trip waits, because it {told}" in caplog.text
    assert sorted(path.name for path in folder.iterdir()) == sorted(files + inner)
    assert waiting_work(workspace) == frozenset()


def test_a_folder_that_may_not_be_emptied_waits_and_is_reported(
    workspace: Workspace,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drop_folder(workspace, account, "trip", TRIP)
    may = os.access
    # Tests may run as root, who may do everything: the answer is the system's for other users.
    monkeypatch.setattr(
        os, "access", lambda path, mode, **at: path != "trip" and may(path, mode, **at)
    )
    assert register(workspace) == []
    assert "inbox/acme/trip waits, because it may not be read and written by user" in caplog.text


# Crashes and races


class Died(BaseException):
    """The process is gone: nothing catches this."""


def die_while_moving(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Post:
    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as crash:
        crash.setattr(os, "rename", die)
        with pytest.raises(Died):
            register(workspace)
    (post,) = all_posts(workspace)
    return post


@pytest.mark.parametrize("moved", [0, 1, 3])
def test_a_crash_before_during_or_after_the_moves_is_finished_and_registers_once(
    workspace: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    folder = drop_folder(workspace, account, "trip", TRIP, {"caption": "once"})
    post = die_while_moving(workspace, monkeypatch)
    assert register(workspace) == []  # rows stand for it
    for media in media_of(workspace, post)[:moved]:
        (folder / media.file_name.removeprefix("trip/")).rename(
            data_folder(workspace).path(media.source_path)
        )
    run = NormalRun("run", workspace.ledger.now(), workspace.rules.max_lateness)
    found = find_new_uploads(workspace, run, actor=ACTOR)
    assert [(entry.post_id, entry.file_name) for entry in found] == [(post.id, "trip")]
    files = media_of(workspace, post)
    assert [data_folder(workspace).path(m.source_path).read_bytes() for m in files] == [
        ONE,
        TWO,
        TEN,
    ]
    assert inbox(workspace) == ["acme"]
    assert [one.caption for one in all_posts(workspace)] == ["once"]


def test_a_folder_that_changed_before_its_move_is_another_post(
    workspace: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drop_folder(workspace, account, "trip", TRIP)
    die_while_moving(workspace, monkeypatch)
    (folder / "img2.jpg").unlink()
    finish_moves(workspace, actor=ACTOR)
    (old,) = all_posts(workspace)
    assert (old.state, old.fix) == (
        PostState.CANCELLED,
        "put the folder with all its images into the inbox again",
    )
    assert all(media.deleted_at for media in media_of(workspace, old))
    (new,) = register(workspace)
    assert names(workspace, new) == ["trip/img1.jpg", "trip/img10.jpg"]


def test_an_image_that_vanished_when_others_were_taken_cancels_the_post_and_leaves_no_other(
    workspace: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drop_folder(workspace, account, "trip", TRIP)
    post = die_while_moving(workspace, monkeypatch)
    first, _, third = media_of(workspace, post)
    (folder / "img1.jpg").rename(data_folder(workspace).path(first.source_path))
    (folder / "img2.jpg").unlink()
    finish_moves(workspace, actor=ACTOR)
    assert read_post(workspace, post.id).state is PostState.CANCELLED
    gone = [media.deleted_at is not None for media in media_of(workspace, post)]
    assert gone == [False, True, False]
    assert data_folder(workspace).path(third.source_path).read_bytes() == TEN
    assert (register(workspace), inbox(workspace)) == ([], ["acme"])


def test_an_image_that_comes_between_look_and_rows_waits_for_the_next_pass(
    workspace: Workspace, account: Account
) -> None:
    folder = drop_folder(workspace, account, "trip", {"a.jpg": ONE})

    def come() -> None:
        (folder / "b.jpg").write_bytes(TWO)

    with before_statement(workspace, "BEGIN IMMEDIATE", come):
        assert register(workspace) == []
    (post,) = register(workspace)
    assert names(workspace, post) == ["trip/a.jpg", "trip/b.jpg"]


def test_runs_that_register_at_once_make_one_post_of_each_folder(
    workspace: Workspace, account: Account
) -> None:
    for number in range(4):
        drop_folder(workspace, account, str(number), {"a.jpg": ONE, "b.jpg": image(shade=number)})
    runs = [
        NormalRun(f"run {n}", workspace.ledger.now(), workspace.rules.max_lateness)
        for n in range(3)
    ]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda run: find_new_uploads(workspace, run, actor=ACTOR), runs))
    posts = all_posts(workspace)
    assert [post.state for post in posts] == [PostState.READY] * 4
    with workspace.ledger.read() as session:
        files = session.scalars(select(Media)).all()
    assert len(files) == 8
    assert all(data_folder(workspace).path(media.source_path).is_file() for media in files)
    assert inbox(workspace) == ["acme"]


def test_a_post_whose_sidecar_was_never_read_is_not_tried_again_but_says_where_it_lies(
    workspace: Workspace, account: Account
) -> None:
    drop_folder(workspace, account, "trip", TRIP, b"{")
    (post,) = register(workspace)
    with pytest.raises(IllegalTransitionError, match=f"lie in quarantine/acme/{post.id} and"):
        commands.retry(workspace, post.id, actor=ACTOR)
