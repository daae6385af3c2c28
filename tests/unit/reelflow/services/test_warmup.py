"""Warming up changes nothing, and leaves statements compiled for whoever is forked."""

from collections.abc import Callable

from reelflow.ledger.models import Account, Post
from reelflow.services.stage import begin
from reelflow.services.warmup import warm_up
from reelflow.services.workspace import Workspace
from tests.factories import read_post


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
    assert len(workspace.ledger.engine._compiled_cache) == compiled
