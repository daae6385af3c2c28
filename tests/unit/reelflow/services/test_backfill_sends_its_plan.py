"""What a plan names is what the runs then send, to the byte, with every gate of the stages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.domain.approval import ApprovalPolicy
from reelflow.domain.budget import BudgetLimits
from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun
from reelflow.exceptions import MediaRejectedError, PostHeldError, PostNotTakeableError
from reelflow.ledger import batches
from reelflow.ledger.models import Post
from reelflow.services.accounts.approval_policy import change_approval
from reelflow.services.backfill_plan import PlannedPost, PlanStatus, plan_backfill
from reelflow.services.backfill_rehearsal import BackfillDay
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.prepare import validate
from reelflow.services.publishing.publish import upload_to_tiktok
from reelflow.services.steering.commands import retry
from reelflow.services.summarize import RunSummary, summarize
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from tests import factories
from tests.factories import ACTOR, Clock, account_clients, read_post
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

S, P = PostState, PlanStatus
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 11, 1, tzinfo=UTC)
WEEK = 7 * DAY
#: What a stage raises of a post that is not for its run.
_LEFT_ALONE = (PostNotTakeableError, PostHeldError, MediaRejectedError)
_CREATOR = ok({"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 60})
_UNLIMITED = BudgetLimits(init_per_minute=10**6, creator_info_per_minute=10**6, posts_per_day=10**6)


def day(number: int = 0, *, skipped_because: str | None = None) -> BackfillDay:
    start = START + number * DAY
    return BackfillDay(BackfillRun(f"backfill__{number}", start, start + DAY), skipped_because)


@dataclass(frozen=True)
class Backfill:
    """The runs of a backfill, with TikTok in whose place a server stands that takes every byte."""

    workspace: Workspace
    client: TikTokClient
    server: ScriptedServer
    _numbers: Iterator[int]

    def plan(self, *days: BackfillDay) -> list[PlannedPost]:
        return [post for one in plan_backfill(self.workspace, days) for post in one.posts]

    def run(self, *days: BackfillDay) -> list[int]:
        """Do what the tasks of runs do that begin at once; return whose bytes came to TikTok."""
        runs = [one.run for one in days if one.skipped_because is None]
        found = [(run, find_new_uploads(self.workspace, run, actor=ACTOR)) for run in runs]
        return [
            post.post_id
            for run, batch in found
            for post in batch
            if self._sends(post.post_id, run.run_id)
        ]

    def summary(self, one: BackfillDay) -> RunSummary:
        return summarize(self.workspace, one.run.run_id)

    def _sends(self, post_id: int, run_id: str) -> bool:
        url = f"http://{self.server.address}/upload?upload_id=1&upload_token=2"
        opened = ok({"publish_id": f"v_pub_file~v2-1.{next(self._numbers)}", "upload_url": url})
        self.server.answers = [_CREATOR, opened, http(201)]
        before = len(self.server.received)
        with suppress(*_LEFT_ALONE):
            validate(self.workspace, post_id, run_id=run_id, actor=ACTOR)
            upload_to_tiktok(
                self.workspace,
                account_clients(self.workspace, self.client),
                post_id,
                run_id=run_id,
                owner=f"{run_id}/upload",
                limits=TikTokLimits(),
            )
        return any(one.line.startswith("PUT") for one in self.server.received[before:])


@pytest.fixture
def backfill(tmp_path: Path, clock: Clock, server: ScriptedServer) -> Iterator[Backfill]:
    """A backfill whose batches hold three posts."""
    workspace = factories.open_workspace(tmp_path, clock, batch_size=3, budgets=_UNLIMITED)
    host, hosts = f"http://{server.address}", frozenset({server.address})
    with TikTokClient(host=host, extra_upload_hosts=hosts) as client:
        yield Backfill(workspace, client, server, itertools.count(1))


def told(posts: list[PlannedPost]) -> list[tuple[int, PlanStatus, str | None]]:
    return [(post.row["id"], post.status, post.why) for post in posts]


def would_post(posts: list[PlannedPost]) -> list[int]:
    return [post.row["id"] for post in posts if post.status is P.WOULD_POST]


def missed(backfill: Backfill, **columns: Any) -> Post:
    account = factories.make_account(backfill.workspace)
    fields = {"state": S.MISSED, "publish_at": START, "due_at": START, **columns}
    return factories.make_post(backfill.workspace, account, **fields)


def test_a_missed_post_that_nobody_approved_is_held_before_anything_is_done_for_it(
    backfill: Backfill,
) -> None:
    """The account asks for approval since: of a MISSED post nobody was asked then."""
    post, approved = missed(backfill, validated=False), missed(backfill, approved_at=START)
    change_approval(backfill.workspace, "acme", policy=ApprovalPolicy.REQUIRED, actor=ACTOR)
    why = "it waits for approval, as acme asks for every post"
    assert told(backfill.plan(day())) == [
        (approved.id, P.WOULD_POST, None),
        (post.id, P.HELD, why),
    ]
    assert backfill.run(day()) == [approved.id]
    after = read_post(backfill.workspace, post.id)
    assert (after.state, after.reason, after.reason_code) == (S.HELD, why, "approval")
    assert after.media.validated_at is None
    assert backfill.summary(day()).problems == []


def test_a_ready_post_that_nobody_approved_is_told_as_the_upload_makes_it(
    backfill: Backfill, clock: Clock
) -> None:
    """Its upload died, so the account's wish for approval found it in no state to be held in."""
    died = {"state": S.UPLOADING, "lease_owner": "x", "lease_until": clock()}
    post = missed(backfill, **died, wants_approval=True)
    why = "it waits for approval, as was asked for when it was made"
    assert told(backfill.plan(day())) == [(post.id, P.HELD, why)]
    assert backfill.run(day()) == []
    assert read_post(backfill.workspace, post.id).state is S.HELD


@pytest.mark.parametrize("others", [0, 3])
def test_a_post_of_the_batch_that_was_given_a_later_time_waits_for_it_and_takes_no_room(
    backfill: Backfill, clock: Clock, others: int
) -> None:
    workspace = backfill.workspace
    post = missed(backfill, state=S.FAILED)
    with workspace.ledger.write() as session:
        batches.append(session, day().run.run_id, [post.id], now=clock())
    at = clock() + WEEK
    retry(workspace, post.id, actor=ACTOR, at=at)
    fresh = [missed(backfill).id for _ in range(others)]
    later = f"it is wished for {at:%Y-%m-%d %H:%M} UTC: a run takes it then"
    assert told(backfill.plan(day())) == [
        *((post_id, P.WOULD_POST, None) for post_id in fresh),
        (post.id, P.WAITING, later),
    ]
    assert backfill.run(day()) == fresh
    batch = [one.post_id for one in find_new_uploads(workspace, day().run, actor=ACTOR)]
    assert batch == [*fresh, post.id], "Airflow looks at what goes first, so that all tasks come"
    summary = backfill.summary(day())
    assert summary.problems == []
    assert f"post {post.id} (clip.mp4, acme): READY: {later}" in summary.lines
    clock.set(at)
    assert backfill.run(day()) == [post.id]


_POSTS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(S) | st.sampled_from([S.READY, S.MISSED]),
        "account": st.sampled_from("ab"),
        "hour": st.integers(-3, 75),  # of three days, and a little around
        "wished": st.sampled_from(["then", "then", "never", "later"]),
        "same": st.booleans(),
        "claimed_by": st.sampled_from([None, None, "backfill__1", "other"]),
        "batch": st.sampled_from([None, None, "backfill__0", "backfill__2"]),
        "wants_approval": st.sampled_from([False, False, True]),
        "approved": st.booleans(),
    }
)


def make(backfill: Backfill, clock: Clock, fields: dict[str, Any]) -> None:
    """Put a post into the ledger; what another run has claimed, that works on."""
    workspace, state, claimed_by = backfill.workspace, fields["state"], fields["claimed_by"]
    at, now = START + fields["hour"] * HOUR, clock()
    is_busy = claimed_by == "other" or state is S.COMMITTING
    post = factories.make_post(
        workspace,
        factories.make_account(workspace, fields["account"]),
        state=state,
        # Of one content there is one keyed post at most.
        content=b"same" if fields["same"] and state is S.MISSED else None,
        publish_at={"then": at, "never": None, "later": now + WEEK}[fields["wished"]],
        created_at=at,
        due_at=now + WEEK if fields["wished"] == "later" else at,
        claimed_by=claimed_by,
        claimed_until=now + HOUR if claimed_by else None,
        lease_owner="other/upload" if is_busy else None,
        lease_until=now + HOUR if is_busy else None,
        wants_approval=fields["wants_approval"],
        approved_at=at if fields["approved"] else None,
    )
    if fields["batch"] is not None and claimed_by != "backfill__1":
        with workspace.ledger.write() as session:
            batches.append(session, fields["batch"], [post.id], now=now)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    made=st.lists(_POSTS, max_size=14),
    skipped=st.sampled_from([None, 0, 1, 2]),
    policy=st.sampled_from(ApprovalPolicy),
)
def test_the_plan_is_what_the_runs_then_send(
    backfill: Backfill,
    clock: Clock,
    made: list[dict[str, Any]],
    skipped: int | None,
    policy: ApprovalPolicy,
) -> None:
    factories.forget_posts(backfill.workspace)
    for fields in made:
        make(backfill, clock, fields)
    account = factories.make_account(backfill.workspace, "b")
    # As if it had been asked for just after the posts that could be held were.
    factories.change_account(backfill.workspace, account.id, approval_policy=policy)
    days = [day(n, skipped_because="skipped" if n == skipped else None) for n in range(3)]
    planned = backfill.plan(*days)
    ids = [post.row["id"] for post in planned]
    assert len(set(ids)) == len(ids)
    assert would_post(planned) == backfill.run(*days)
