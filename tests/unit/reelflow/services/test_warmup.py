"""Warming up leaves no row, and statements compiled for whoever is forked."""

from collections.abc import Callable

from sqlalchemy import func, select

from reelflow.ledger import photo_images
from reelflow.ledger.models import Account, Base, Post
from reelflow.services.stage import begin
from reelflow.services.warmup import warm_up
from reelflow.services.workspace import Workspace
from tests.factories import read_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def counted(workspace: Workspace) -> dict[str, int | None]:
    """Return how many rows each table has."""
    with workspace.ledger.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }


def test_warming_up_compiles_what_a_stage_begins_with_and_changes_no_post(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account)
    before = read_post(workspace, post.id)
    warm_up(workspace)
    compiled = len(workspace.ledger.engine._compiled_cache)
    after = read_post(workspace, post.id)
    assert (after.claimed_by, after.state, after.fencing_token) == (
        before.claimed_by,
        before.state,
        before.fencing_token,
    )
    begin(workspace, post.id, run_id="run")
    with workspace.ledger.read() as session:
        outline = photo_images.outline_of(session, post.id)
        assert outline is not None
        assert outline.name == before.media.file_name
    assert len(workspace.ledger.engine._compiled_cache) == compiled


def test_the_post_that_it_is_done_on_is_taken_back(workspace: Workspace) -> None:
    before = counted(workspace)
    warm_up(workspace)
    warm_up(workspace)
    assert counted(workspace) == before
