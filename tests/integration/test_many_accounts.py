"""Many accounts before the simulator: the troubles of one are no other's."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import ReelflowError
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.publishing.publish import upload_to_tiktok
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import ACTOR, Clock, change_post, read_post
from tests.integration.publisher import SMALL_CHUNKS
from tests.integration.simulator_process import Simulator

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
#: No task of an account that is in trouble may hold its worker longer.
AT_ONCE_S = 5.0
#: Posts of each account: as many as its init budget of a minute, and more.
POSTS = 8
TROUBLED = ("limited", "revoked", "failing", "banned")
#: What TikTok answers to creator_info, which is asked before each init.
REFUSALS: dict[str, dict[str, Any]] = {
    "revoked": {"status": 401, "code": "access_token_invalid"},
    "failing": {"status": 500, "code": "internal_error"},
    "banned": {"status": 200, "code": "spam_risk_user_banned_from_posting"},
}


def connect(workspace: Workspace, simulator: Simulator, name: str, number: int) -> Account:
    creator = simulator.accounts[number]
    return factories.make_account(
        workspace, name, open_id=creator["open_id"], access_token=creator["access_token"]
    )


def take(workspace: Workspace, run_id: str) -> list[int]:
    """Take a batch as `find_new_uploads` does."""
    run = NormalRun(run_id, workspace.ledger.now(), DAY)
    return [post.post_id for post in find_new_uploads(workspace, run, actor=ACTOR)]


def upload(workspace: Workspace, simulator: Simulator, post_id: int, run_id: str) -> str:
    """Upload a post as its task does; return the code of what went wrong, or nothing."""
    began_s = time.monotonic()
    try:
        with simulator.client(SMALL_CHUNKS) as client:
            upload_to_tiktok(
                workspace,
                factories.account_clients(workspace, client),
                post_id,
                run_id=run_id,
                owner=f"{run_id}/{post_id}",
                limits=SMALL_CHUNKS,
            )
    except ReelflowError as exc:
        return exc.code
    finally:
        assert time.monotonic() - began_s < AT_ONCE_S
    return ""


def test_accounts_in_trouble_delay_no_post_of_another(
    workspace: Workspace, clock: Clock, simulator: Simulator
) -> None:
    by_name = {
        name: connect(workspace, simulator, name, number)
        for number, name in enumerate((*TROUBLED, "fine"))
    }
    posts: dict[str, list[Post]] = {
        name: [
            factories.make_post(workspace, account, privacy_level="SELF_ONLY") for _ in range(POSTS)
        ]
        for name, account in by_name.items()
    }
    late = posts["fine"].pop()  # it becomes due when all others are under way
    change_post(workspace, late.id, due_at=clock() + MINUTE)
    for name, fault in REFUSALS.items():
        open_id = by_name[name].open_id
        simulator.fault("creator_info", **fault, times=99, open_id=open_id)

    batch = take(workspace, "run")
    codes = {post_id: upload(workspace, simulator, post_id, "run") for post_id in batch}

    assert {name: {codes[post.id] for post in posts[name]} for name in TROUBLED} == {
        "limited": {"", "budget_spent"},
        "revoked": {"account_revoked", "post_not_takeable"},  # its other posts are held by then
        "failing": {"internal_error", "budget_spent"},
        "banned": {"spam_risk_user_banned_from_posting", "budget_spent"},
    }
    states = {
        name: [read_post(workspace, post.id).state for post in posts[name]] for name in by_name
    }
    assert states == {
        "limited": [PostState.PROCESSING] * 6 + [PostState.READY] * 2,
        "revoked": [PostState.HELD] * POSTS,
        "failing": [PostState.READY] * POSTS,
        "banned": [PostState.HELD] * 6 + [PostState.READY] * 2,
        "fine": [PostState.PROCESSING] * 6 + [PostState.READY],
    }
    # In the first turn through the accounts, and not behind all posts of those in trouble.
    assert batch.index(posts["fine"][0].id) == len(TROUBLED)

    clock.advance(2 * MINUTE)
    simulator.advance(2 * MINUTE.total_seconds())
    second = take(replace(workspace, rules=replace(workspace.rules, batch_size=3)), "next")
    assert late.id in second
    assert upload(workspace, simulator, late.id, "next") == ""


def test_the_budget_of_one_account_is_waited_for_in_no_worker(
    workspace: Workspace, clock: Clock, simulator: Simulator
) -> None:
    account = connect(workspace, simulator, "limited", 0)
    posts = [
        factories.make_post(workspace, account, privacy_level="SELF_ONLY") for _ in range(POSTS)
    ]
    codes = [upload(workspace, simulator, post.id, "run") for post in posts]
    assert codes == [""] * 6 + ["budget_spent"] * 2
    slot = max(read_post(workspace, post.id).due_at for post in posts[6:]) - clock()
    assert timedelta() < slot <= 2 * MINUTE
    clock.advance(slot)
    simulator.advance(slot.total_seconds())
    assert [upload(workspace, simulator, post.id, "run") for post in posts[6:]] == [""] * 2
