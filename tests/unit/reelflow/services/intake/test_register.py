"""Registering inbox files: once each, whatever dies in between and however they are named."""

import errno
import json
import logging
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reelflow.domain.post import PostMode, PostState, PrivacyLevel
from reelflow.domain.schedule import NormalRun
from reelflow.domain.sidecar import SIDECAR_MAX_BYTES
from reelflow.ledger import audit, batches
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.moves import finish_moves
from reelflow.services.intake.register import register_inbox
from reelflow.services.stage import open_video
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from reelflow.storage.folders import Folders
from reelflow.storage.inbox import InboxFile, InboxFolder
from tests import factories
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, read_post, waiting_work

Drop = Callable[..., Path]


def run(workspace: Workspace, run_id: str = "run") -> NormalRun:
    return NormalRun(run_id, workspace.ledger.now(), workspace.rules.max_lateness)


def register(workspace: Workspace, run_id: str = "run") -> list[Post]:
    ids = register_inbox(workspace, run=run(workspace, run_id), actor=ACTOR)
    return [read_post(workspace, post_id) for post_id in ids]


def all_posts(workspace: Workspace) -> list[Post]:
    with workspace.ledger.read() as session:
        return list(session.scalars(select(Post).order_by(Post.id)))


def batch(workspace: Workspace, run_id: str = "run") -> list[int]:
    with workspace.ledger.read() as session:
        return list(batches.post_ids(session, run_id))


def source(workspace: Workspace, post: Post) -> Path:
    return data_folder(workspace).path(post.media.source_path)


def inbox(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (data_folder(workspace).inbox / "acme").iterdir())


def test_a_file_becomes_a_post_of_the_run_and_leaves_the_inbox(
    workspace: Workspace, account: Account, drop: Drop, clock: Clock
) -> None:
    drop(account, "clip.mp4", b"video")
    (post,) = register(workspace)
    assert (post.state, post.account_id, post.privacy_level) == ("READY", account.id, "SELF_ONLY")
    assert (post.publish_at, post.due_at, post.slot) == (None, clock(), 0)
    assert post.media.file_name == "clip.mp4"
    assert post.media.size_bytes == 5
    assert post.media.moved_at == clock()
    assert source(workspace, post).read_bytes() == b"video"
    assert source(workspace, post).suffix == ".mp4"
    assert inbox(workspace) == []
    assert batch(workspace) == [post.id]
    assert post.claimed_by == "run"
    assert register(workspace) == []
    with workspace.ledger.read() as session:
        (row,) = audit.story(session, post.id)
    assert (row.actor, row.from_state, row.to_state) == (ACTOR, None, "READY")


def test_a_sidecars_wishes_are_kept_and_both_files_leave_the_inbox(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    wishes: dict[str, Any] = {
        "caption": "Hi \N{CLAPPER BOARD}",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "publish_at": "2030-01-01T10:00:00+02:00",
        "disable_comment": True,
        "disable_duet": True,
        "disable_stitch": True,
        "brand_content_toggle": True,
        "brand_organic_toggle": True,
        "is_aigc": True,
        "cover_timestamp_ms": 500,
        "mode": "draft",
        "repost": True,
    }
    drop(account, "clip.mp4", sidecar=wishes)
    (post,) = register(workspace)
    at = datetime(2030, 1, 1, 8, tzinfo=UTC)
    kept = {name: getattr(post, name) for name in wishes}
    assert kept == {**wishes, "publish_at": at, "mode": PostMode.DRAFT}
    assert post.due_at == at
    assert batch(workspace) == []  # its time has not come
    assert inbox(workspace) == []


@pytest.mark.parametrize(
    ("inbox_level", "wishes", "state", "level"),
    [
        (PrivacyLevel.SELF_ONLY, None, "READY", "SELF_ONLY"),
        (PrivacyLevel.SELF_ONLY, {"privacy_level": "PUBLIC_TO_EVERYONE"}, "READY",
         "PUBLIC_TO_EVERYONE"),
        (None, {"privacy_level": "SELF_ONLY"}, "READY", "SELF_ONLY"),
        (None, {"mode": "draft"}, "READY", None),
        (None, None, "HELD", None),
        (None, {"caption": "x", "privacy_level": None}, "HELD", None),
    ],
)  # fmt: skip
def test_privacy_comes_from_the_sidecar_or_the_accounts_inbox_and_never_from_us(
    workspace: Workspace,
    make_account: Callable[..., Account],
    drop: Drop,
    inbox_level: PrivacyLevel | None,
    wishes: dict[str, Any] | None,
    state: str,
    level: str | None,
) -> None:
    drop(make_account(inbox_privacy_level=inbox_level), "clip.mp4", sidecar=wishes)
    (post,) = register(workspace)
    assert (post.state, post.privacy_level) == (state, level)


@pytest.mark.parametrize("policy", ["on-request", "required"])
@pytest.mark.parametrize("wishes", [{"approval": True}, {"approval": False}, None])
def test_a_file_whose_sidecar_or_account_asks_for_approval_is_held_for_it(
    workspace: Workspace,
    account: Account,
    drop: Drop,
    policy: str,
    wishes: dict[str, Any] | None,
) -> None:
    factories.change_account(workspace, account.id, approval_policy=policy)
    drop(account, "clip.mp4", sidecar=wishes)
    (post,) = register(workspace)
    waits = policy == "required" or bool(wishes and wishes["approval"])
    assert (post.state, post.reason_code) == (("HELD", "approval") if waits else ("READY", None))
    if waits:
        assert f"`reelflow posts release {post.id}`" in post.fix
        assert batch(workspace) == []


def test_a_post_without_privacy_is_held_with_what_releases_it_and_what_spares_the_next_one(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop
) -> None:
    drop(make_account(inbox_privacy_level=None), "clip.mp4", b"video")
    (post,) = register(workspace)
    assert post.reason_code == "no_privacy"
    assert "TikTok forbids to choose one" in post.reason
    assert post.fix == (
        f"choose one with `reelflow posts release {post.id} --privacy LEVEL`; what comes into the "
        "inbox later gets one by `reelflow accounts set acme --inbox-privacy LEVEL`"
    )
    assert inbox(workspace) == []
    assert source(workspace, post).read_bytes() == b"video"
    assert post.sha256 == post.media.sha256  # so that the same bytes can complete it
    assert batch(workspace) == []
    assert waiting_work(workspace) == frozenset()


UNREADABLE = [b"{", b'{"privacy": "SELF_ONLY"}', b"\xff", b'{"publish_at": "2026-01-01T00:00"}']


@pytest.mark.parametrize("sidecar", UNREADABLE)
def test_an_unreadable_sidecar_rejects_its_post_with_the_reason(
    workspace: Workspace, account: Account, drop: Drop, sidecar: bytes
) -> None:
    drop(account, "bad.mp4", b"video", sidecar=sidecar)
    drop(account, "good.mp4", b"other")
    bad, good = register(workspace)
    assert (bad.state, bad.reason_code, good.state) == ("REJECTED", "sidecar", "READY")
    assert bad.reason.startswith("the sidecar cannot be used: ")
    assert bad.fix == "correct bad.mp4.json and put file and sidecar into the inbox again"
    assert source(workspace, bad) == data_folder(workspace).quarantine / "acme" / f"{bad.id}.mp4"
    assert source(workspace, bad).read_bytes() == b"video"
    reason = json.loads(source(workspace, bad).with_name(f"{bad.id}.reason.json").read_text())
    assert reason["violations"][0]["value"] == bad.reason
    assert reason["file"] == "bad.mp4"
    assert "release" not in reason  # its fields were never read: a retry is refused
    assert source(workspace, bad).with_name(f"{bad.id}.mp4.json").read_bytes() == sidecar
    assert inbox(workspace) == []
    assert batch(workspace) == [bad.id, good.id]  # so that the run says it


def test_a_post_with_an_unreadable_sidecar_is_never_ready_not_even_after_a_crash(
    workspace: Workspace, account: Account, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would go out with the inbox's privacy, at once, whatever the sidecar wished."""
    drop(account, "bad.mp4", sidecar=b"{")
    die_while_moving(workspace, monkeypatch)
    (post,) = all_posts(workspace)
    assert post.state is PostState.REJECTED
    finish_moves(workspace, actor=ACTOR)
    (post,) = all_posts(workspace)
    assert post.media.source_path == f"quarantine/acme/{post.id}.mp4"


@pytest.mark.parametrize("kind", ["pipe", "link", "a byte too large"])
def test_a_sidecar_that_is_no_small_plain_file_is_not_followed_and_does_not_block(
    workspace: Workspace, account: Account, drop: Drop, tmp_path: Path, kind: str
) -> None:
    path = drop(account, "bad.mp4")
    sidecar = path.with_name("bad.mp4.json")
    if kind == "pipe":
        os.mkfifo(sidecar)
    elif kind == "link":
        (tmp_path / "secret.json").write_text('{"caption": "secret"}')
        sidecar.symlink_to(tmp_path / "secret.json")
    else:
        sidecar.write_bytes(b'{"caption": "long"}'.ljust(SIDECAR_MAX_BYTES + 1))
    (post,) = register(workspace)
    assert (post.state, post.reason_code) == ("REJECTED", "sidecar")
    assert (post.caption, inbox(workspace)) == ("", [])


# Crashes and races


class Died(BaseException):
    """The process is gone: nothing catches this."""


def die_while_moving(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as crash:
        crash.setattr(os, "rename", die)
        with pytest.raises(Died):
            register(workspace)


def test_a_crash_between_row_and_move_is_finished_by_the_next_pass_and_registers_once(
    workspace: Workspace, account: Account, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(account, "clip.mp4", b"video", sidecar={"caption": "once"})
    die_while_moving(workspace, monkeypatch)
    assert inbox(workspace) == ["clip.mp4", "clip.mp4.json"]
    assert register(workspace) == []  # a row stands for it
    found = find_new_uploads(workspace, run(workspace), actor=ACTOR)
    (post,) = all_posts(workspace)
    assert [entry.post_id for entry in found] == [post.id]
    assert source(workspace, post).read_bytes() == b"video"
    assert post.caption == "once"
    assert inbox(workspace) == []


def test_a_crash_after_the_move_before_its_row_is_finished_too(
    workspace: Workspace, account: Account, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(account, "clip.mp4", b"video")
    die_while_moving(workspace, monkeypatch)
    (post,) = all_posts(workspace)
    path.rename(source(workspace, post))
    finish_moves(workspace, actor=ACTOR)
    (post,) = all_posts(workspace)
    assert (post.state, post.media.moved_at) == ("READY", workspace.ledger.now())


def test_a_held_posts_bytes_are_known_after_a_crash_too(
    workspace: Workspace,
    make_account: Callable[..., Account],
    drop: Drop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drop(make_account(inbox_privacy_level=None), "clip.mp4")
    die_while_moving(workspace, monkeypatch)
    finish_moves(workspace, actor=ACTOR)
    assert all_posts(workspace)[0].sha256 is not None


def test_a_file_that_left_the_inbox_before_its_move_cancels_its_post(
    workspace: Workspace, account: Account, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(account, "clip.mp4")
    die_while_moving(workspace, monkeypatch)
    path.unlink()
    finish_moves(workspace, actor=ACTOR)
    (post,) = all_posts(workspace)
    assert post.state is PostState.CANCELLED
    assert "left the inbox" in post.reason
    assert post.fix == "put the file into the inbox again"
    assert post.media.deleted_at is not None


def test_another_file_under_the_name_of_one_that_was_never_moved_is_another_post(
    workspace: Workspace, account: Account, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(account, "clip.mp4", b"old")
    die_while_moving(workspace, monkeypatch)
    path.unlink()
    drop(account, "clip.mp4", b"newer")  # most disks give it the same inode
    find_new_uploads(workspace, run(workspace, "second"), actor=ACTOR)
    old, new = all_posts(workspace)
    assert (old.state, new.state) == ("CANCELLED", "READY")
    assert source(workspace, new).read_bytes() == b"newer"


def test_the_same_name_again_after_the_first_was_taken_is_another_post(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    for content in (b"first", b"second"):
        drop(account, "clip.mp4", content)
        register(workspace)
    first, second = all_posts(workspace)
    assert source(workspace, first).read_bytes() == b"first"
    assert source(workspace, second).read_bytes() == b"second"


def test_runs_that_register_at_once_make_one_post_of_each_file(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    for number in range(5):
        drop(account, f"{number}.mp4", b"%d" % number, sidecar={"caption": str(number)})
    with ThreadPoolExecutor(3) as pool:
        runs = [run(workspace, f"run {number}") for number in range(3)]
        found = pool.map(lambda r: find_new_uploads(workspace, r, actor=ACTOR), runs)
        taken = [entry.post_id for each in found for entry in each]
    posts = all_posts(workspace)
    assert sorted(post.caption for post in posts) == list("01234")
    assert {post.state for post in posts} == {PostState.READY}
    assert sorted(taken) == [post.id for post in posts]
    assert all(source(workspace, post).is_file() for post in posts)


def test_a_file_that_another_run_registers_and_takes_meanwhile_is_no_second_post(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace)
    factories.drop(workspace, account, "clip.mp4")
    with before_statement(
        workspace, "media.inbox_path IN", lambda: register(workspace, "another run")
    ):
        assert register(workspace) == []
    (post,) = all_posts(workspace)
    assert post.state is PostState.READY


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (PermissionError(errno.EPERM, "Operation not permitted"), "media/"),
        (OSError(errno.ENOSPC, "No space left on device"), "no room to write "),
    ],
)
def test_a_file_that_cannot_be_moved_waits_and_stops_no_other(
    workspace: Workspace,
    account: Account,
    drop: Drop,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    trouble: OSError,
    said: str,
) -> None:
    drop(account, "a.mp4", b"stuck")
    drop(account, "b.mp4", b"free")
    rename = os.rename

    def refuse_first(old: str, new: str, **folders: int) -> None:
        if old == "a.mp4":
            raise trouble
        rename(old, new, **folders)

    with monkeypatch.context() as immutable:
        immutable.setattr(os, "rename", refuse_first)  # the disk, not our own code
        stuck, free = register(workspace)
    assert source(workspace, free).read_bytes() == b"free"
    assert f"a.mp4 cannot be moved out of the inbox: {said}" in caplog.text
    assert stuck.rescheduled_because is not None
    assert "cannot be moved" in stuck.rescheduled_because
    assert stuck.due_at > clock()
    assert waiting_work(workspace) == frozenset()  # no run a minute for it
    finish_moves(workspace, actor=ACTOR)
    assert source(workspace, stuck).read_bytes() == b"stuck"
    assert read_post(workspace, stuck.id).rescheduled_because is None


def test_a_scheduled_post_whose_file_cannot_be_moved_keeps_its_time(
    workspace: Workspace,
    account: Account,
    drop: Drop,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due_at = clock() + timedelta(days=7)
    drop(account, "clip.mp4", sidecar={"publish_at": due_at.isoformat()})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as immutable:
        immutable.setattr(os, "rename", refuse)  # the disk, not our own code
        (stuck,) = register(workspace)
    assert stuck.rescheduled_because is not None
    assert stuck.due_at == due_at


def test_a_file_that_cannot_be_set_aside_waits_and_stops_no_other(
    workspace: Workspace, account: Account, drop: Drop, caplog: pytest.LogCaptureFixture
) -> None:
    (data_folder(workspace).quarantine / "acme").write_text("in the way")
    drop(account, "bad.mp4", sidecar=b"{")
    drop(account, "good.mp4", b"other")
    bad, good = register(workspace)
    assert (bad.state, good.state) == ("REJECTED", "READY")
    assert source(workspace, bad).is_file()
    assert f"the file of post {bad.id} cannot be moved to the quarantine" in caplog.text


def test_a_held_post_whose_file_cannot_be_read_stops_no_other(
    workspace: Workspace,
    make_account: Callable[..., Account],
    drop: Drop,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    account = make_account(inbox_privacy_level=None)
    drop(account, "a.mp4")
    drop(account, "b.mp4", b"other")
    monkeypatch.setattr(os, "pread", fail)  # the disk, not our own code
    assert [post.state for post in register(workspace)] == ["HELD", "HELD"]
    assert "(Input/output error): check the disk it lies on" in caplog.text


def test_a_file_that_nobody_foresaw_is_logged_and_stops_no_other(
    workspace: Workspace,
    account: Account,
    drop: Drop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Surprising(Folders):
        """Folders in which one file is like no other."""

        def holds(self, file: InboxFile | InboxFolder) -> bool:
            if file.name == "a.mp4":
                raise OverflowError("int too large")
            return super().holds(file)

    store = workspace.folders.store
    workspace = replace(workspace, folders=Surprising(lambda: store))
    drop(account, "a.mp4")
    drop(account, "b.mp4", b"other")
    assert [post.media.file_name for post in register(workspace)] == ["b.mp4"]
    assert "inbox/acme/a.mp4 cannot be registered" in caplog.text
    assert inbox(workspace) == ["a.mp4"]


def test_a_row_that_the_ledger_refuses_for_another_reason_is_no_post_of_another_run(
    workspace: Workspace,
    account: Account,
    drop: Drop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    drop(account, "a.mp4")
    (post,) = register(workspace)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(post.media_id))
    drop(account, "b.mp4", b"other")
    assert register(workspace) == []
    assert "inbox/acme/b.mp4 cannot be registered" in caplog.text
    assert inbox(workspace) == ["b.mp4"]


# Odd things in the inbox


def test_a_file_from_a_far_future_is_registered_and_blocks_nothing(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    path = drop(account, "far.mp4")
    os.utime(path, (0, 9_300_000_000))  # the year 2264: over 2**63 ns
    if path.stat().st_mtime_ns < 2**63:
        pytest.skip("this disk keeps no such time")
    drop(account, "good.mp4", b"other")
    far, good = register(workspace)
    assert (far.state, good.state, inbox(workspace)) == ("READY", "READY", [])
    with open_video(workspace, far) as held:
        assert held.identity == far.media.source_identity


def test_what_is_no_plain_file_is_taken_out_of_the_inbox_and_never_opened(
    workspace: Workspace, account: Account, drop: Drop, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    folder = data_folder(workspace).inbox / "acme"
    (folder / "link.mp4").symlink_to(secret)
    (folder / "dangling.mp4").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.mp4")
    drop(account, "z.mp4")
    assert [post.state for post in register(workspace)] == ["READY"] * 4
    assert inbox(workspace) == []
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"-x.mp4", "-x.mp4"),
        (b"%d.mp4", "%d.mp4"),
        (b"a\n\x1b[31mb.mp4", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31mb.mp4"),
        (b"caf\xe9.mp4", "caf\N{REPLACEMENT CHARACTER}.mp4"),
        ("café \N{CLAPPER BOARD}.mp4".encode(), "café \N{CLAPPER BOARD}.mp4"),
        (b"\xe2\x80\xaegpj.mp4", "\N{REPLACEMENT CHARACTER}gpj.mp4"),  # right-to-left override
        (b"a" * 255, "a" * 255),
        (b"noextension", "noextension"),
        (b"x.verylongextension", "x.verylongextension"),
        (b"x.mp4;rm -rf", "x.mp4;rm -rf"),
    ],
)
def test_any_name_is_shown_safely_and_never_becomes_a_path(
    workspace: Workspace, account: Account, drop: Drop, name: bytes, shown: str
) -> None:
    drop(account, name, b"video")
    (post,) = register(workspace)
    assert post.media.file_name == shown
    path = source(workspace, post)
    assert path.read_bytes() == b"video"
    assert path.suffix in {"", ".mp4"}
    assert path.stem == post.media_id
    assert inbox(workspace) == []


def test_a_name_with_a_sidecar_that_no_disk_could_hold_has_none(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    drop(account, "a" * 251 + ".mp4")
    assert [post.state for post in register(workspace)] == ["READY"]


def test_files_still_growing_hidden_ones_and_sidecars_alone_are_not_touched(
    workspace: Workspace, account: Account, drop: Drop, clock: Clock
) -> None:
    drop(account, ".copying.mp4")
    drop(account, "later.mp4.json", b"{}")
    growing = drop(account, "growing.mp4")
    clock.set(datetime.fromtimestamp(growing.stat().st_ctime + 9, UTC))
    assert register(workspace) == []
    assert inbox(workspace) == [".copying.mp4", "growing.mp4", "later.mp4.json"]
    assert waiting_work(workspace) == frozenset()
    clock.advance(timedelta(seconds=2))
    assert [post.media.file_name for post in register(workspace)] == ["growing.mp4"]


def test_a_file_that_grows_between_look_and_row_waits_for_the_next_pass(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    path = drop(account, "clip.mp4", b"half")

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(b" and the other")

    with before_statement(workspace, "BEGIN IMMEDIATE", grow):
        assert register(workspace) == []
    (post,) = register(workspace)
    assert post.media.size_bytes == len(b"half and the other")


def test_a_sidecar_that_comes_between_look_and_row_is_read_by_the_next_pass(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    path = drop(account, "clip.mp4")

    def come() -> None:
        path.with_name("clip.mp4.json").write_text('{"caption": "late"}')

    with before_statement(workspace, "BEGIN IMMEDIATE", come):
        assert register(workspace) == []
    (post,) = register(workspace)
    assert post.caption == "late"


def test_a_sidecar_without_its_file_is_reported(
    workspace: Workspace, account: Account, drop: Drop, caplog: pytest.LogCaptureFixture
) -> None:
    drop(account, "old.mp4.json", b"{}")
    drop(account, "clip.mp4", sidecar={})
    register(workspace)
    assert "inbox/acme/old.mp4.json has no file or folder beside it" in caplog.text
    assert "clip.mp4.json" not in caplog.text
    assert inbox(workspace) == ["old.mp4.json"]


def test_files_in_no_accounts_folder_are_reported_and_left_alone(
    workspace: Workspace, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    stray = data_folder(workspace).inbox / "clip\n.mp4"
    stray.write_bytes(b"video")
    with caplog.at_level(logging.WARNING):
        assert register(workspace) == []
    assert stray.is_file()
    assert "inbox/clip\N{REPLACEMENT CHARACTER}.mp4 lies in no account's folder" in caplog.text


def test_folders_of_unknown_accounts_are_reported_and_left_alone(
    workspace: Workspace, account: Account, drop: Drop, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = drop("stranger\n", "clip.mp4")
    with caplog.at_level(logging.WARNING):
        assert register(workspace) == []
    assert stranger.is_file()
    assert "belongs to no account, so its files wait: `reelflow accounts connect`" in caplog.text
    assert "stranger\n" not in caplog.text
    assert waiting_work(workspace) == frozenset()


def test_a_folder_that_may_not_be_changed_is_reported_and_its_files_wait(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    drop: Drop,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drop(account, "clip.mp4")
    drop(make_account("other"), "clip.mp4")
    may = os.access
    # Tests may run as root, who may do everything: the answer is the system's for other users.
    monkeypatch.setattr(
        os, "access", lambda path, mode, **at: path != "acme" and may(path, mode, **at)
    )
    assert [post.account.name for post in register(workspace)] == ["other"]
    assert "inbox/acme may not be read and written by user" in caplog.text
    assert waiting_work(workspace) == frozenset()


def test_files_beyond_the_batch_wait_in_the_inbox_for_the_next_run(
    clock: Clock, tmp_path: Path
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=3)
    for name in ("a", "b"):
        account = factories.make_account(workspace, name)
        for number in range(3):
            factories.drop(workspace, account, f"{number}.mp4", b"%s %d" % (name.encode(), number))
    posts = register(workspace)
    order = [(post.account.name, post.media.file_name) for post in posts]
    assert order == [("a", "0.mp4"), ("b", "0.mp4"), ("a", "1.mp4")]
    assert batch(workspace) == [post.id for post in posts]
    left = waiting_work(workspace)
    assert {name.split(":")[1] for name in left} == {"b/1.mp4", "a/2.mp4", "b/2.mp4"}
    assert len(register(workspace, run_id="next")) == 3
    assert waiting_work(workspace) == frozenset()


def test_a_file_beyond_a_batch_that_is_full_of_due_posts_is_registered_and_waits_its_turn(
    clock: Clock, tmp_path: Path
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=2)
    busy, quiet = (factories.make_account(workspace, name) for name in ("busy", "quiet"))
    for _ in range(5):
        factories.make_post(workspace, busy)
    factories.drop(workspace, quiet, "clip.mp4")
    first, second = (
        find_new_uploads(workspace, run(workspace, run_id), actor=ACTOR) for run_id in "ab"
    )
    assert len(first) == 2
    assert "clip.mp4" in [post.file_name for post in second]


def test_a_row_is_unique_while_its_file_lies_in_the_inbox(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    drop(account, "clip.mp4")
    register(workspace)
    with workspace.ledger.read() as session:
        (media,) = session.scalars(select(Media)).all()
    assert media.inbox_path == "acme/clip.mp4"
    kept = identity_of(data_folder(workspace).path(media.source_path).stat())
    assert media.inbox_identity == media.source_identity == kept


def test_a_post_of_a_revoked_account_is_held_until_the_account_is_connected_again(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    mark_revoked(workspace, account.id, why="the creator left", actor=ACTOR)
    drop(account, "clip.mp4", b"video")
    (post,) = register(workspace)
    assert (post.state, post.reason_code) == (PostState.HELD, "account_revoked")
    assert "the creator left" in post.reason
    assert post.fix is not None
    assert "`reelflow accounts connect acme`" in post.fix
    assert inbox(workspace) == []
    assert source(workspace, post).read_bytes() == b"video"
    assert batch(workspace) == []


def test_a_post_of_a_revoked_account_without_privacy_waits_for_its_privacy_first(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop
) -> None:
    account = make_account("quiet", inbox_privacy_level=None)
    mark_revoked(workspace, account.id, why="the creator left", actor=ACTOR)
    drop(account, "clip.mp4")
    (post,) = register(workspace)
    assert (post.state, post.reason_code) == (PostState.HELD, "no_privacy")
