"""``reelflow sweep``: tells what may go, and deletes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.unit.reelflow.cli.conftest import Run


@pytest.fixture
def failed(workspace: Workspace, account: Account, make_post: Callable[..., Post]) -> Post:
    """A post that failed 40 days ago."""
    ended = workspace.ledger.now() - timedelta(days=40)
    return make_post(account, state=PostState.FAILED, state_since=ended)


def test_nothing_to_delete_is_said(run: Run) -> None:
    result = run("sweep")
    assert (result.exit_code, result.stdout) == (0, "0 deleted, 0 bytes.\n")


def test_a_dry_run_lists_what_would_go_and_the_real_one_deletes_it(
    run: Run, workspace: Workspace, failed: Post
) -> None:
    source = data_folder(workspace).path(failed.media.source_path)
    size_bytes = failed.media.size_bytes
    told = run("sweep", "--dry-run").stdout
    assert "retention" in told
    assert failed.media_id in told
    assert f"1 would be deleted, {size_bytes} bytes." in told
    listed = json.loads(run("sweep", "--dry-run", "--json").stdout)
    assert source.exists()
    done = json.loads(run("sweep", "--json").stdout)
    assert not source.exists()
    assert done["files"] == listed["files"]
    (only,) = done["files"]
    assert (only["key"], only["post_ids"]) == (failed.media.source_path, [failed.id])
    assert (listed["dry_run"], listed["deleted"]) == (True, 0)
    assert (done["dry_run"], done["deleted"], done["deleted_bytes"]) == (False, 1, size_bytes)


def test_what_could_not_be_deleted_is_said_and_ends_with_exit_code_1(
    run: Run, workspace: Workspace, failed: Post
) -> None:
    with workspace.ledger.write() as session:
        session.get_one(Media, failed.media_id).source_path = "../by hand.mp4"
    result = run("sweep")
    assert result.exit_code == 1
    assert result.stdout == "0 deleted, 0 bytes.\n"
    assert "../by hand.mp4 was not deleted: " in result.stderr
