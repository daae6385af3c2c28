"""Backfills: each does what `reelflow plan` says, and over published days nothing at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

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


def test_a_backfill_posts_what_its_plan_names(play: Play) -> None:
    """Days in every state, without a run, with one that failed, with a good one; and a full day."""
    full, free, red, green = _days_ago(13, 12, 11, 10)
    seeds = Seeds(play.ledger.workspace, play.stack.account_names[SEEDED])
    reprocessed = _run_before(play, seeds, red, green)
    play.process_for(ENDLESS_S)
    play.drop(10)
    made = [seed for day in (free, red, green) for seed in seeds.every_state(day)]
    crowd = [seeds.post(full, PostState.MISSED, is_taken=True) for _ in range(CROWD)]
    made += [*crowd, *(seeds.for_later(run_id) for run_id in reprocessed)]
    _expect(play, made)

    posted: list[int] = []
    with (
        play.mid_stage(10, {PostState.PROCESSING}) as running,
        # For the tasks, which the scheduler starts, and for the command that plans.
        play.stack.settings({"REELFLOW_BATCH_SIZE": str(BATCH)}, "scheduler"),
    ):
        _wish_for(play, free, [post.id for post in running[:5]])
        for behavior in BEHAVIORS:
            _, new = _backfill(play, full, green, behavior)
            posted += new
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
            assert _backfill(play, first, second, behavior) == (run_ids, [])
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


def _backfill(play: Play, first: date, last: date, behavior: str) -> tuple[set[str], list[int]]:
    """Plan a backfill, and run it.

    :return: the ids of the runs that it made and of the posts that it posted; they are those that
        the plan has named
    """
    plan = play.stack.plan(first + DAY, last + DAY, behavior)  # which names days by their ends
    days = {day["run_id"] for day in plan["days"] if day["runs"]}
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


def _tries(play: Play, run_id: str) -> int:
    """Return how often a run has looked for its posts."""
    found = [task for task in play.runs.tasks(run_id) if task.task_id == TASKS[0]]
    return found[0].try_number


def _at_tiktok(play: Play) -> set[str]:
    return {one["publish_id"] for one in play.simulator("GET", "/posts")["posts"]}
