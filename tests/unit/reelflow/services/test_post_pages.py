"""Pages of posts: whose they are, in what order, and where the next one goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    AccountNotFoundError,
    PostNotFoundError,
    StorageUnavailableError,
    TikTokUnavailableError,
)
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services import report
from reelflow.services.post_pages import PostFilter, check_visible, list_page, show
from reelflow.services.stage import postpone
from reelflow.services.workspace import Workspace
from tests.factories import Clock, forget_posts, make_post
from tests.intake_users import ADMIN, ANN, BOB
from tests.postgresql import ON_BOTH_DATABASES

MakePost = Callable[..., Post]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owners=st.lists(st.sampled_from([None, "ann", "bob"]), max_size=7),
    limit=st.integers(1, 4),
)
def test_pages_together_are_all_that_a_user_may_see_newest_first(
    workspace: Workspace, account: Account, owners: list[str | None], limit: int
) -> None:
    forget_posts(workspace)
    made = [(make_post(workspace, account, user_id=owner).id, owner) for owner in owners]
    for user in (ANN, BOB, ADMIN):
        expected = [post_id for post_id, owner in reversed(made) if user.owns(owner)]
        seen, after_id = [], None
        while True:
            page = list_page(workspace, user, PostFilter(), after_id=after_id, limit=limit)
            assert len(page.rows) <= limit
            seen += [row["id"] for row in page.rows]
            after_id = page.last_id
            if after_id is None:
                break
        assert seen == expected


@ON_BOTH_DATABASES
def test_filters_meet(
    workspace: Workspace,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    acme, beta = make_account("acme"), make_account("beta")
    wanted = make_post(acme, state=PostState.HELD, user_id="ann")
    make_post(acme, user_id="ann")
    make_post(beta, state=PostState.HELD, user_id="ann")
    make_post(acme, state=PostState.HELD, user_id="bob")
    make_post(acme, state=PostState.HELD, user_id="ann", due_at=clock() + timedelta(days=1))
    found = PostFilter({PostState.HELD}, "acme", "ann", clock(), clock() + timedelta(hours=1))
    page = list_page(workspace, ADMIN, found, after_id=None, limit=9)
    assert [row["id"] for row in page.rows] == [wanted.id]
    with pytest.raises(AccountNotFoundError):
        list_page(workspace, ANN, PostFilter(account="nope"), after_id=None, limit=9)


@ON_BOTH_DATABASES
def test_the_latest_run_that_publishes_is_told(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, user_id="ann")
    untaken = make_post(account, user_id="ann")
    for run_id in ("run-1", "run-2", f"{batches.AHEAD}run-3"):
        with workspace.ledger.write() as session:
            batches.append(session, run_id, [post.id], now=clock.advance(timedelta(hours=1)))
    page = list_page(workspace, ANN, PostFilter(), after_id=None, limit=9)
    assert [(row["id"], row["run_id"]) for row in page.rows] == [
        (untaken.id, None),
        (post.id, "run-2"),
    ]
    assert show(workspace, ANN, post.id)["run_id"] == "run-2"


def test_somebody_elses_post_is_told_of_like_none(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    theirs = make_post(account, user_id="bob")
    check_visible(workspace, BOB, theirs.id)
    for post_id in (theirs.id, theirs.id + 1):
        with pytest.raises(PostNotFoundError, match=f"no post has id {post_id}: see"):
            show(workspace, ANN, post_id)


@ON_BOTH_DATABASES
def test_what_stands_in_a_posts_way_is_told_its_user_without_our_places(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    place = "s3://our-bucket/reelflow/media/7.mp4"
    post = make_post(account, user_id="ann")
    postpone(workspace, post.id, StorageUnavailableError(f"{place}: no answer"), actor="run")
    page = list_page(workspace, ANN, PostFilter(), after_id=None, limit=1)
    for user in (ANN, ADMIN):
        whole = show(workspace, user, post.id)
        assert (whole["reason"], whole["reason_code"]) == (
            page.rows[0]["reason"],
            "storage_unavailable",
        )
        assert "cannot go on with it just now" in whole["reason"]
        assert whole["story"][-1]["why"] == f"kept for a later run: {whole['reason']}"
        assert place not in str(whole)
    assert place in str(report.show_post(workspace, post.id)["reason"])
    assert place in str(report.show_post(workspace, post.id)["story"])


def test_what_tiktok_says_is_told_as_it_is(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, user_id="ann")
    postpone(workspace, post.id, TikTokUnavailableError("TikTok answered 503"), actor="run")
    assert show(workspace, ANN, post.id)["reason"] == "TikTok answered 503"
