"""Summing a run up by the ledger: which posts fail it, and what is said of each."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from tests.factories import read_post

MakePost = Callable[..., Post]
ALWAYS = {"FAILED", "REJECTED", "UNKNOWN"}
UNLESS_RESCHEDULED = {"READY", "UPLOADING", "COMMITTING"}


def put_in_batch(workspace: Workspace, *posts: Post) -> None:
    with workspace.ledger.write() as session:
        batches.append(session, "run", [post.id for post in posts], now=workspace.ledger.now())


@pytest.mark.parametrize("rescheduled", [None, "next try at 10:00:00 UTC: TikTok is busy"])
@pytest.mark.parametrize("state", PostState)
def test_a_run_fails_for_what_ended_badly_or_stopped_without_a_next_try(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    rescheduled: str | None,
) -> None:
    post = make_post(account, state=state, rescheduled_because=rescheduled)
    put_in_batch(workspace, post)
    summary = summarize(workspace, "run")
    problem = state in ALWAYS or (state in UNLESS_RESCHEDULED and rescheduled is None)
    assert bool(summary.problems) is problem
    assert summary.counts == {str(state): 1}


def test_each_post_gets_a_line_with_reason_and_fix_in_the_order_they_were_taken(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    failed = make_post(account, state=PostState.FAILED, reason="too long", fix="cut it")
    waiting = make_post(account, reason="found", rescheduled_because="next try at noon")
    put_in_batch(workspace, waiting, failed)
    summary = summarize(workspace, "run")
    assert summary.lines == [
        f"post {waiting.id} (clip.mp4, acme): READY: next try at noon",
        f"post {failed.id} (clip.mp4, acme): FAILED: too long. To fix: cut it",
    ]
    assert summary.problems == summary.lines[1:]
    assert summary.counts == {"READY": 1, "FAILED": 1}


def test_a_reason_that_is_a_sentence_already_gets_no_second_full_stop(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    put_in_batch(workspace, make_post(account, state=PostState.FAILED, reason="No.", fix="cut it"))
    (line,) = summarize(workspace, "run").lines
    assert line.endswith("FAILED: No. To fix: cut it")


def test_claims_of_this_run_and_no_other_are_given_back(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    until = workspace.ledger.now() + timedelta(minutes=1)
    mine = make_post(account, claimed_by="run", claimed_until=until)
    others = make_post(account, claimed_by="other", claimed_until=until)
    put_in_batch(workspace, mine, others)
    summarize(workspace, "run")
    assert read_post(workspace, mine.id).claimed_by is None
    assert read_post(workspace, others.id).claimed_by == "other"


def test_a_run_without_posts_is_a_good_run(workspace: Workspace) -> None:
    summary = summarize(workspace, "run")
    assert (summary.counts, summary.lines, summary.problems) == ({}, [], [])
