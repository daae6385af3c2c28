"""Files on their way out of the inbox, beside what other runs do; more in test_register.py."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostKind, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.ledger import posts
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.cleanup import clean_up_files
from reelflow.services.intake.moves import finish_move
from reelflow.services.intake.register import register_inbox
from reelflow.services.intake.rejection import reject
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from tests import factories
from tests.data_folder import data_folder
from tests.database_faults import before_statement, impatient
from tests.factories import ACTOR, Clock, read_post

DEADLINE_S = 30.0
VIOLATION = {"rule": "duration", "value": "0.5 s", "limit": "3 s", "fix": "make it longer"}


def test_a_held_post_whose_bytes_become_another_post_meanwhile_is_registered_without_its_key(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace, inbox_privacy_level=None)
    factories.drop(workspace, account, "clip.mp4", b"same")

    def post_the_same() -> None:
        factories.make_post(workspace, account, content=b"same")

    with before_statement(workspace, "UPDATE posts SET sha256", post_the_same):
        run = NormalRun("run", clock(), timedelta(days=1))
        (held_id,) = register_inbox(workspace, run=run, actor=ACTOR)
    held = read_post(workspace, held_id)
    assert (held.state, held.sha256) == (PostState.HELD, None)
    assert data_folder(workspace).path(held.media.source_path).read_bytes() == b"same"


def unmoved_post(
    workspace: Workspace, account: Account, *, kind: PostKind = PostKind.VIDEO
) -> Post:
    """Return a READY post whose file still lies in the inbox, as a crash leaves it.

    :param kind: of photos the files are asked for in a statement of their own
    """
    post = factories.make_post(workspace, account, validated=False, kind=kind)
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        media.moved_at = media.source_identity = None
        path = factories.drop(workspace, account, "clip.mp4")
        media.inbox_path, media.inbox_identity = "acme/clip.mp4", identity_of(path.stat())
    data_folder(workspace).path(post.media.source_path).unlink()
    return post


@pytest.mark.parametrize("ends", ["quarantined", "deleted"])
def test_a_file_that_another_run_took_and_went_on_with_is_left_alone(
    workspace: Workspace, account: Account, ends: str
) -> None:
    """A run that waited for a slow store meanwhile knows the place before the last alone."""
    post = unmoved_post(workspace, account, kind=PostKind.PHOTO)

    def another_run() -> None:
        finish_move(workspace, post.id, actor="another run")
        if ends == "quarantined":
            reject(workspace, post.id, [VIOLATION], actor="another run")
        else:
            factories.change_post(workspace, post.id, state=PostState.PUBLISHED)
            assert clean_up_files(workspace, post.id)
        left.append(read_post(workspace, post.id))

    left: list[Post] = []
    with before_statement(workspace, "FROM photo_images", another_run):
        finish_move(workspace, post.id, actor=ACTOR)
    (before,), after = left, read_post(workspace, post.id)
    for field in ("moved_at", "source_path", "source_identity", "deleted_at"):
        assert getattr(after.media, field) == getattr(before.media, field), field
    assert (after.state, after.reason) == (before.state, before.reason)


def test_a_post_that_ended_before_its_file_vanished_stays_as_it_ended(
    workspace: Workspace, account: Account
) -> None:
    post = unmoved_post(workspace, account)
    commands.cancel(workspace, post.id, actor="mia")
    ended = read_post(workspace, post.id)
    (data_folder(workspace).inbox / "acme" / "clip.mp4").unlink()
    finish_move(workspace, post.id, actor=ACTOR)
    after = read_post(workspace, post.id)
    assert (after.state, after.reason) == (PostState.CANCELLED, ended.reason)
    assert after.media.deleted_at is not None


def test_a_post_is_locked_before_its_files_as_by_every_other_stage(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    post = unmoved_post(workspace, factories.make_account(workspace))

    def another_stage() -> None:
        with impatient(workspace).ledger.write() as session:
            session.get_one(Media, post.media_id, with_for_update=True)

    with before_statement(workspace, "FOR UPDATE OF posts", another_stage):
        finish_move(workspace, post.id, actor=ACTOR)
    assert read_post(workspace, post.id).media.moved_at is not None


def test_what_another_run_writes_while_its_lock_is_waited_for_stays(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    post = unmoved_post(workspace, factories.make_account(workspace))
    with ThreadPoolExecutor(1) as thread:
        with workspace.ledger.write() as session:
            posts.get(session, post.id, lock=True)
            media = session.get_one(Media, post.media_id)
            waits = thread.submit(finish_move, workspace, post.id, actor=ACTOR)
            wait_for_a_waiter(workspace)
            media.moved_at = clock()
            media.source_path, media.source_identity = "quarantine/acme/1.mp4", "another"
        waits.result()
    after = read_post(workspace, post.id).media
    assert (after.source_path, after.source_identity) == ("quarantine/acme/1.mp4", "another")


def wait_for_a_waiter(workspace: Workspace) -> None:
    """Wait until somebody waits for a lock of this PostgreSQL ledger."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    ends_at = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends_at:
        with workspace.ledger.read() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.02)
    raise AssertionError("nobody came to the lock")


def test_a_file_that_another_run_took_is_not_waited_for(
    workspace: Workspace, account: Account
) -> None:
    post = unmoved_post(workspace, account, kind=PostKind.PHOTO)
    media = data_folder(workspace).media

    def another_run() -> None:
        finish_move(workspace, post.id, actor="another run")
        media.rename(media.with_name("elsewhere"))
        media.symlink_to(media)  # so that this run meets an error

    with before_statement(workspace, "FROM photo_images", another_run):
        finish_move(workspace, post.id, actor=ACTOR)
    after = read_post(workspace, post.id)
    assert (after.rescheduled_because, after.due_at) == (None, post.due_at)
