"""Counts that two processes collect at the same moment: one row a day, and one teller."""

from __future__ import annotations

from functools import partial

from sqlalchemy import select

from reelflow.domain.post import PostState
from reelflow.ledger import post_metrics
from reelflow.ledger.metrics_models import MetricsTrouble, PostMetrics
from reelflow.ledger.models import Account
from reelflow.services.post_metrics.collect import Refusal
from reelflow.services.post_metrics.troubles import tell_troubles
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.factories import make_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

ROUNDS = 5


def store(workspace: Workspace, post_ids: list[int], view_count: int) -> None:
    now = workspace.ledger.now()
    others = {"like_count": 0, "comment_count": None, "share_count": 2**31}
    with workspace.ledger.write() as session:
        counts: list[post_metrics.Counts] = [
            {"post_id": post_id, "view_count": view_count, **others}  # type: ignore[typeddict-item]
            for post_id in post_ids
        ]
        post_metrics.store(session, counts, day=now.date(), now=now)


def test_of_one_day_that_is_collected_twice_at_once_one_row_is_kept(
    workspace: Workspace, account: Account
) -> None:
    posts = [make_post(workspace, account, state=PostState.PUBLISHED).id for _ in range(3)]
    for _ in range(ROUNDS):
        racers = [partial(store, workspace, posts, views) for views in (2**40, 2**40 + 1)]
        assert race(racers) == [None, None]
        with workspace.ledger.read() as session:
            rows = session.scalars(select(PostMetrics).order_by(PostMetrics.post_id)).all()
        assert [row.post_id for row in rows] == posts
        # Each pass is written as a whole.
        assert [row.view_count for row in rows] in ([2**40] * 3, [2**40 + 1] * 3)


def test_of_two_runs_that_tell_of_one_trouble_at_once_one_is_the_first(
    workspace: Workspace, account: Account
) -> None:
    for number in range(ROUNDS):
        if number % 2:
            with workspace.ledger.write() as session:
                post_metrics.forget_troubles(session, of=None, but_not=[])
        refused = {account.id: Refusal(f"code_{number}", "why")}
        told = race([partial(tell_troubles, workspace, refused, run=run) for run in ("a", "b")])
        assert sorted(one.is_new for (one,) in told) == [False, True]
        with workspace.ledger.read() as session:
            assert session.get_one(MetricsTrouble, account.id).code == f"code_{number}"
