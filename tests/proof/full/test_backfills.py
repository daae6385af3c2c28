"""Backfills: each does what `reelflow plan` says, and over published days nothing at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from reelflow.domain.post import DONE, PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import TASKS
from tests.proof.seeds import Seed, Seeds

BEHAVIORS = ("none", "failed", "completed")
#: Of the accounts, those that the posts of past days go to: a budget of their own.
SEEDED = slice(4, 16)
#: The most that a run takes; of one day there are more.
BATCH, CROWD = 6, 8
DAY = timedelta(days=1)

Plan = Mapping[str, Any]


def test_a_backfill_posts_what_its_plan_names(play: Play) -> None:
    """Days in every state, without a run, with one that failed, with a good one; and a full day."""
    full, free, red, green = _days_ago(13, 12, 11, 10)
    seeds = Seeds(play.ledger.workspace, play.stack.account_names[SEEDED])
    reprocessed = _run_before(play, seeds, red, green)
    play.process_for(ENDLESS_S)
    play.drop(10)
    of_days = [seed for day in (free, red, green) for seed in seeds.every_state(day)]
    of_days += map(seeds.for_later, (red, green), reprocessed)
    crowd = [seeds.post(full, PostState.MISSED, is_taken=True) for _ in range(CROWD)]
    made = [*crowd, *of_days]
    _expect(play, made)

    posted: list[int] = []
    have_run: set[date] = set()
    with (
        play.mid_stage(10, {PostState.PROCESSING}) as running,
        # For the tasks, which the scheduler starts, and for the command that plans.
        play.stack.settings({"REELFLOW_BATCH_SIZE": str(BATCH)}, "scheduler"),
    ):
        _wish_for(play, free, [post.id for post in running[:5]])
        for behavior in BEHAVIORS:
            plan = _plan(play, full, green, behavior)
            _assert_told(plan, of_days, have_run)
            _assert_crowd_told(plan, crowd, behavior)
            if behavior == "failed":  # some posts are sent by then, and others still to be
                _assert_told_of_one_account(play, plan, made[0].video.account)
                _assert_in_table(play, plan)
            _, new = _backfill(play, plan, full, green)
            posted += new
            have_run |= set(_runs_of(plan).values())
            of_crowd = {seed.post_id for seed in crowd} & set(posted)
            # The rest of a batch goes when its run, which was good, is run again.
            assert len(of_crowd) == (CROWD if behavior == "completed" else BATCH), behavior
    assert sorted(posted) == sorted(seed.post_id for seed in made if seed.is_taken)
    _accept_what_became_of_the_lost(play, made)
    play.let_go()
    play.finish()


def test_a_backfill_over_published_days_posts_nothing_again(play: Play) -> None:
    first, second = _days_ago(22, 21)
    seeds = Seeds(play.ledger.workspace, play.stack.account_names[SEEDED])
    made = [seeds.post(day, PostState.MISSED) for day in (first, second) for _ in range(6)]
    play.videos += [seed.video for seed in made]
    red, green = _run_before(play, seeds, first, second)
    play.process_for(ENDLESS_S)
    play.drop(10)

    with play.mid_stage(10, {PostState.PROCESSING}):
        for behavior, run_ids in zip(BEHAVIORS, (set(), {red}, {red, green}), strict=True):
            plan = _plan(play, first, second, behavior)
            assert _backfill(play, plan, first, second) == (run_ids, [])
    assert _tries(play, red) >= 3
    assert _tries(play, green) >= 2
    play.let_go()
    play.finish()


def _days_ago(*numbers: int) -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=number) for number in numbers]


def _run_before(play: Play, seeds: Seeds, red: date, green: date) -> list[str]:
    """Give two days a run, one that fails and one that does not; return their ids."""
    broken = seeds.post(red, PostState.MISSED, content=b"no video at all")
    good = seeds.post(green, PostState.MISSED)
    play.videos += [broken.video, good.video]
    play.otherwise[broken.video.file_name] = PostState.REJECTED
    runs = {run.state: run.run_id for run in play.backfill(red, green, "none", makes=2)}
    assert sorted(runs) == ["failed", "success"]
    play.finish()
    return [runs["failed"], runs["success"]]


def _expect(play: Play, made: list[Seed]) -> None:
    """Let the case know of posts that were put into the ledger."""
    play.before |= {seed.video.file_name for seed in made if seed.was_posted}
    for seed in made:
        if not seed.was_posted:
            play.videos.append(seed.video)
            if not seed.is_taken:
                play.otherwise[seed.video.file_name] = seed.state


def _accept_what_became_of_the_lost(play: Play, made: list[Seed]) -> None:
    """Let posts whose file is gone end as they did: not published, and told."""
    gone = {seed.post_id for seed in made if seed.is_gone}
    for post in play.ledger.posts():
        if post.id in gone:
            assert post.state not in DONE
            assert post.reason
            play.otherwise[post.file_name] = post.state


def _wish_for(play: Play, day: date, post_ids: list[int]) -> None:
    """Make it as if posts that are under way had been wished for a past day."""
    wished = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    play.ledger.change_posts(post_ids, publish_at=wished)


def _plan(play: Play, first: date, last: date, behavior: str) -> Plan:
    # It names days by their ends.
    return play.stack.plan(str(first + DAY), str(last + DAY), behavior)


def _statuses(plan: Plan) -> dict[int, str]:
    return {post["id"]: post["status"] for day in plan["days"] for post in day["posts"]}


def _runs_of(plan: Plan) -> dict[str, date]:
    """Return the runs that a backfill makes, each with its day."""
    starts = {day["run_id"]: day["start"] for day in plan["days"] if day["runs"]}
    return {run_id: datetime.fromisoformat(start).date() for run_id, start in starts.items()}


def _assert_told(plan: Plan, seeds: Sequence[Seed], have_run: Collection[date]) -> None:
    """Assert that a plan says of each post what its day's run makes of it, or has made."""
    told, days = _statuses(plan), set(_runs_of(plan).values())
    for seed in seeds:
        status: str | None
        if seed.unrun is None:  # of another day: it comes with the run that has it, and goes
            status = seed.planned if seed.day in days else None
        elif seed.day in have_run and seed.is_taken:
            status = "already_posted"
        elif seed.day in have_run and seed.is_gone:
            status = "rejected"
        elif seed.day in have_run:
            status = seed.planned
        else:
            status = seed.planned if seed.day in days else seed.unrun
        assert told.get(seed.post_id) == status, f"{seed}: {told.get(seed.post_id)}"


def _assert_crowd_told(plan: Plan, crowd: Sequence[Seed], behavior: str) -> None:
    """Assert that of the full day what was posted, what has room and what has none is told."""
    told = _statuses(plan)
    statuses = Counter(told[seed.post_id] for seed in crowd)
    expected = {
        "none": {"would_post": BATCH, "missed": CROWD - BATCH},
        "failed": {"already_posted": BATCH, "missed": CROWD - BATCH},
        "completed": {"already_posted": BATCH, "would_post": CROWD - BATCH},
    }
    assert statuses == expected[behavior]


def _backfill(play: Play, plan: Plan, first: date, last: date) -> tuple[set[str], list[int]]:
    """Run a backfill that was planned.

    :return: the ids of the runs that it made and of the posts that it posted; they are those that
        the plan has named
    """
    behavior = plan["reprocess_behavior"]
    days = set(_runs_of(plan))
    before = _at_tiktok(play)

    def publish() -> None:
        """Let TikTok be done with what the backfill sends, and with nothing else."""
        play.complete(_at_tiktok(play) - before)

    runs = play.backfill(first, last, behavior, makes=len(days), meanwhile=publish)
    made = {run.run_id for run in runs}
    assert made == days, f"{behavior}: planned {days}, ran {made}"
    new = _at_tiktok(play) - before
    posted = sorted(post.id for post in play.ledger.posts() if post.publish_id in new)
    assert len(posted) == len(new)
    planned = sorted(plan["would_post"])
    assert posted == planned, f"{behavior}: planned {planned}, posted {posted}"
    return made, posted


def _assert_told_of_one_account(play: Play, plan: Plan, account: str) -> None:
    """Assert that the plan of one account's posts is that of all, without those of others."""
    own = json.loads(_printed_again(play, plan, "--account", account, "--json"))
    assert own["account"] == account
    of_account = {post.id for post in play.ledger.posts() if post.account == account}
    told = {post_id: status for post_id, status in _statuses(plan).items() if post_id in of_account}
    assert told
    assert _statuses(own) == told
    assert own["would_post"] == [post_id for post_id in plan["would_post"] if post_id in told]
    assert _runs_of(own) == _runs_of(plan)  # which take the posts of all accounts


def _assert_in_table(play: Play, plan: Plan) -> None:
    """Assert that the table has a line for each post, with what becomes of it."""
    lines = [line.split() for line in _printed_again(play, plan).splitlines()]
    for day in plan["days"]:
        for post in day["posts"]:
            begin = [str(post["id"]), post["file_name"], post["account"]]
            (line,) = [line for line in lines if line[:3] == begin]
            status = post["status"].split("_")
            assert line[5 : 5 + len(status)] == status  # behind the day and the time of its wish


def _printed_again(play: Play, plan: Plan, *options: str) -> str:
    asked = (plan["from"], plan["to"], plan["reprocess_behavior"])
    return play.stack.print_plan(*asked, *options)


def _tries(play: Play, run_id: str) -> int:
    """Return how often a run has looked for its posts."""
    found = [task for task in play.runs.tasks(run_id) if task.task_id == TASKS[0]]
    return found[0].try_number


def _at_tiktok(play: Play) -> set[str]:
    return {one["publish_id"] for one in play.simulator("GET", "/posts")["posts"]}
