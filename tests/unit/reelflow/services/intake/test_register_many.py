"""What registering many files asks of ledger and store: as little as may be, and of each once."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.register import register_inbox
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.s3 import S3Store
from tests import factories
from tests.contract.storage.stores import S3Server
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, read_post
from tests.s3_bucket import Bucket, new_bucket

#: As many as are registered in one transaction.
MANY = 20


def register(workspace: Workspace, run_id: str = "run") -> list[int]:
    run = NormalRun(run_id, workspace.ledger.now(), timedelta(days=1))
    return register_inbox(workspace, run=run, actor=ACTOR)


@contextmanager
def counted_statements(workspace: Workspace) -> Iterator[list[str]]:
    """Give what the database is asked meanwhile: each statement once, for however many rows."""
    asked: list[str] = []

    def count(_cursor: Any, statement: str, _parameters: Any, _context: Any) -> None:
        asked.append(statement)

    dialect = workspace.ledger.engine.dialect  # the engine's own
    kinds = ("do_execute", "do_executemany")
    for kind in kinds:
        event.listen(dialect, kind, count)
    try:
        yield asked
    finally:
        for kind in kinds:
            event.remove(dialect, kind, count)


def test_twenty_files_cost_the_ledger_as_many_statements_as_two(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """On PostgreSQL, where each is a way to the server and back."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    names = [factories.make_account(workspace, f"account-{n}").name for n in range(MANY)]
    counts = []
    for files in (2, MANY):
        for number in range(files):
            factories.drop(workspace, names[number], f"{files}.mp4", b"%d %d" % (files, number))
        with counted_statements(workspace) as asked:
            assert len(register(workspace, f"run-{files}")) == files
        counts.append(len(asked))
    assert counts[0] == counts[1]


def in_bucket(workspace: Workspace, server: S3Server) -> tuple[Workspace, Bucket]:
    """Return the workspace with its files in a bucket, and that."""
    bucket = new_bucket(server)
    store = S3Store(bucket.client, bucket.name)
    return replace(workspace, folders=Folders(lambda: store)), bucket


def test_a_file_in_a_bucket_is_looked_for_once_copied_and_deleted(
    workspace: Workspace, account: Account, s3_server: S3Server
) -> None:
    workspace, bucket = in_bucket(workspace, s3_server)
    for number in range(MANY):
        bucket.put(f"inbox/acme/{number}.mp4", b"%d" % number)
    s3_server.reset()
    assert len(register(workspace)) == MANY
    calls = [call for call in s3_server.calls() if call["url"].endswith((".mp4", ".json"))]
    # A look at the file, and one for a sidecar that may have come since the listing.
    asked = {"HEAD": 2 * MANY, "PUT": MANY, "DELETE": MANY}
    assert Counter(call["method"] for call in calls) == asked
    assert bucket.list() == sorted(
        read_post(workspace, post.id).media.source_path for post in all_posts(workspace)
    )


def all_posts(workspace: Workspace) -> list[Post]:
    with workspace.ledger.read() as session:
        return list(session.scalars(select(Post).order_by(Post.id)))


def test_files_and_sidecars_in_a_bucket_leave_it_together(
    workspace: Workspace, account: Account, s3_server: S3Server
) -> None:
    workspace, bucket = in_bucket(workspace, s3_server)
    for number in range(MANY):
        bucket.put(f"inbox/acme/{number}.mp4.json", b'{"caption": "%d"}' % number)
        bucket.put(f"inbox/acme/{number}.mp4", b"%d" % number)
    assert len(register(workspace)) == MANY
    for post in all_posts(workspace):
        assert post.media.file_name == f"{post.caption}.mp4"
        assert bucket.get(post.media.source_path) == post.caption.encode()
        assert bucket.get(f"{post.media.source_path}.json").startswith(b'{"caption"')
    assert [key for key in bucket.list() if key.startswith("inbox/")] == []


def test_a_sidecar_that_comes_too_late_stays_and_is_told_of(
    workspace: Workspace,
    account: Account,
    drop: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = drop(account, "clip.mp4")

    def somebody_adds_a_sidecar() -> None:
        path.with_name("clip.mp4.json").write_bytes(b'{"caption": "late"}')

    with before_statement(workspace, "INSERT INTO media", somebody_adds_a_sidecar):
        (post_id,) = register(workspace)
    post = read_post(workspace, post_id)
    assert (post.state, post.caption) == ("READY", "")
    inbox = data_folder(workspace).inbox / "acme"
    assert [left.name for left in inbox.iterdir()] == ["clip.mp4.json"]
    with caplog.at_level(logging.WARNING):
        find_new_uploads(
            workspace,
            NormalRun("next", workspace.ledger.now(), timedelta(days=1)),
            actor=ACTOR,
        )
    assert "inbox/acme/clip.mp4.json has no file or folder beside it" in caplog.text
