"""A run that dies at any step of registering: each file becomes one post, and none is lost."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.rejection import try_quarantine
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.s3 import S3Store
from tests import factories
from tests.contract.storage.stores import S3Server
from tests.factories import ACTOR, Clock
from tests.s3_bucket import new_bucket

#: By name: the bytes, the sidecar, and the state it ends in.
FILES = {
    "alone.mp4": (b"alone", None, "READY"),
    "asked.mp4": (b"asked", b'{"caption": "asked.mp4"}', "READY"),
    "bad.mp4": (b"bad", b"{", "REJECTED"),
}


class Died(BaseException):
    """The process is gone: nothing of it handles this."""


class Life:
    """A process that takes so many steps, and is dead from the next one on, in all its threads."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._lock = threading.Lock()
        self.is_over = False

    def step(self, *_: Any, **__: Any) -> None:
        """Take a step that leaves something behind."""
        with self._lock:
            self.is_over = self._left == 0
            if self.is_over:
                raise Died
            self._left -= 1


@contextmanager
def in_a_folder(workspace: Workspace, life: Life) -> Iterator[None]:
    """Count what moves files."""
    rename = os.rename

    def counted(*names: Any, **folders: Any) -> None:
        life.step()
        rename(*names, **folders)

    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(os, "rename", counted)  # the disk, not our own code
        yield


@contextmanager
def in_a_bucket(workspace: Workspace, life: Life) -> Iterator[None]:
    """Count what S3 is asked to change."""
    store = workspace.folders.store
    assert isinstance(store, S3Store)
    events = store._client.meta.events
    calls = [f"before-send.s3.{call}" for call in ("CopyObject", "DeleteObject", "PutObject")]
    for call in calls:
        events.register(call, life.step)
    try:
        yield
    finally:
        for call in calls:
            events.unregister(call, life.step)


@contextmanager
def living(workspace: Workspace, life: Life, counted: Callable[..., Any]) -> Iterator[None]:
    engine = workspace.ledger.engine
    event.listen(engine, "commit", life.step)
    try:
        with counted(workspace, life):
            yield
    except Died:
        pass
    finally:
        event.remove(engine, "commit", life.step)


def find(workspace: Workspace, run_id: str) -> None:
    run = NormalRun(run_id, workspace.ledger.now(), timedelta(days=1))
    find_new_uploads(workspace, run, actor=ACTOR)


@pytest.mark.parametrize("counted", [in_a_folder, in_a_bucket])
def test_a_run_that_dies_at_any_step_loses_no_file_and_makes_one_post_of_each(
    tmp_path: Path, clock: Clock, s3_server: S3Server, counted: Callable[..., Any]
) -> None:
    bucket = new_bucket(s3_server)
    for steps in count():
        root = tmp_path / str(steps)
        root.mkdir()
        workspace = factories.open_workspace(root, clock)
        if counted is in_a_bucket:
            store = S3Store(bucket.client, bucket.name, str(steps))
            workspace = replace(workspace, folders=Folders(lambda store=store: store))
        factories.make_account(workspace)
        drop_files(workspace)
        life = Life(steps)
        with living(workspace, life, counted):
            find(workspace, "first")
        find(workspace, "next")
        check(workspace, f"after {steps} steps")
        if not life.is_over:
            break
    assert steps > 12, "it died nowhere"


def drop_files(workspace: Workspace) -> None:
    for name, (content, sidecar, _) in FILES.items():
        for key, data in ((f"{name}.json", sidecar), (name, content)):
            if data is not None:
                workspace.folders.store.put(f"inbox/acme/{key}", data, size_bytes=len(data))


def all_posts(workspace: Workspace) -> list[Post]:
    with workspace.ledger.read() as session:
        return list(session.scalars(select(Post)))


def check(workspace: Workspace, when: str) -> None:
    for post in all_posts(workspace):
        try_quarantine(workspace, post.id)  # as every sweep does
    posts = all_posts(workspace)
    assert sorted(post.media.file_name for post in posts) == list(FILES), when
    for post in posts:
        content, sidecar, state = FILES[post.media.file_name]
        assert post.state == state, when
        assert post.caption == (post.media.file_name if sidecar and state == "READY" else ""), when
        media = post.media
        with workspace.folders.open(media.source_path, identity=media.source_identity) as source:
            assert source.read_at(0, 9) == content, when
        found = workspace.folders.store.stat(f"{media.source_path}.json")
        assert (found is not None) == (sidecar is not None), when
    assert list(workspace.folders.store.list("inbox")) == [], when
