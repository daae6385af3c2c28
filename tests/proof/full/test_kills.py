"""Components killed with SIGKILL in the middle of it, and two schedulers at once."""

from __future__ import annotations

import pytest

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import STAGES, Task
from tests.proof.stack import SECOND_SCHEDULER

POLLED = 50
#: So many files come while a component is dead, of which only the watcher can tell.
LATE = 5
UPLOAD = STAGES[3]
#: With a late file, an account has as many as TikTok's six inits a minute let through at once.
ACCOUNTS = 6


@pytest.mark.parametrize("alone", [True, False], ids=["its tasks live on", "with its tasks"])
def test_a_scheduler_that_is_killed_is_replaced(play: Play, alone: bool) -> None:
    play.slow("init", times=4, delay_s=15, open_id=play.open_id(play.stack.account_names[0]))
    play.slow("put", times=6, delay_s=15)
    play.drop(24, accounts=ACCOUNTS)

    with play.mid_stage():
        play.stack.kill("scheduler", alone=alone)
        uploading = {_key(one) for one in _uploads(play) if one.state == "running"}
        late = play.drop(LATE, accounts=LATE)
    play.stack.restart("scheduler")
    play.wait_known(late)
    play.finish()
    at_once = {_key(one) for one in _uploads(play) if one.try_number == 1}
    assert uploading
    assert bool(uploading & at_once) is alone, "whether any ended in the try in which it was"


def test_of_two_schedulers_one_dies_and_the_other_goes_on(play: Play) -> None:
    before = play.runs.ids()
    play.stack.start_second_scheduler()
    play.process_for(ENDLESS_S)
    play.slow("put", times=8, delay_s=15)
    play.drop(24, accounts=ACCOUNTS)
    play.wait_told(
        lambda: len(_schedulers_of(play, play.runs.ids() - before)) > 1,
        "both schedulers to queue tasks",
    )

    with play.mid_stage():
        play.stack.kill("scheduler")
        late = play.drop(LATE, accounts=LATE)
    play.let_go()
    play.wait_known(late)
    play.finish()
    assert SECOND_SCHEDULER in {one.name for one in play.stack.components}


def test_fifty_posts_polled_by_a_triggerer_that_is_killed_are_polled_by_the_next(
    play: Play,
) -> None:
    play.process_for(ENDLESS_S)
    play.drop(POLLED, accounts=10)
    play.wait_told(
        lambda: len(play.runs.deferred()) >= POLLED,
        f"{POLLED} tasks to be deferred",
        deadline_s=420,
    )

    with play.mid_stage(POLLED, {PostState.PROCESSING}):
        play.stack.kill("triggerer")
        assert not [one for one in play.ledger.posts() if one.is_closed]
        late = play.drop(LATE, accounts=LATE)
    play.let_go()
    play.stack.restart("triggerer")
    play.wait_known(late)
    play.finish()


def _uploads(play: Play) -> list[Task]:
    """Return every post's upload."""
    return [one for one in play.runs.tasks() if one.task_id == UPLOAD]


def _key(task: Task) -> tuple[str, int]:
    """Return which of the uploads a task instance is."""
    return task.run_id, task.map_index


def _schedulers_of(play: Play, run_ids: set[str]) -> set[int]:
    """Return which schedulers have queued tasks of some runs."""
    tasks = [one for one in play.runs.tasks() if one.run_id in run_ids]
    return {one.scheduler for one in tasks if one.scheduler is not None}
