"""Any task cleared at any time: alone while its post is on its way, and after it was published."""

from __future__ import annotations

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import STAGES, TASKS, Task

#: What comes once all posts of a run are through.
LAST = TASKS[-2:]


def test_a_task_cleared_alone_at_each_stage_posts_nothing_twice(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.slow("put", times=12, delay_s=25)
    # So few of each account that asking about them again and again keeps to its budget.
    play.drop(24, accounts=8)
    before_upload, wait, clean_up = STAGES[:4], STAGES[4], STAGES[5]

    with play.mid_stage(states={PostState.UPLOADING, PostState.COMMITTING}) as posts:
        run_id = _run_of(play, posts[0].file_name)
        cleared = [
            _task(play, post.file_name, stage)
            for stage, post in zip(before_upload, posts, strict=False)
        ]
        assert play.runs.clear(run_id, cleared) == len(before_upload)
        finder, batch = _single(play, run_id, TASKS[0]), play.ledger.batches()[run_id]
        for task_id in (finder.task_id, *LAST):
            assert play.runs.clear(run_id, [task_id]) == 1
    _wait_for_tries(play, [finder, *cleared])
    play.wait_told(
        lambda: _single(play, run_id, finder.task_id).state == "success", "the search to end again"
    )
    assert play.ledger.batches()[run_id] == batch

    play.wait_told(lambda: len(play.runs.deferred()) >= 12, "12 tasks to be deferred")
    with play.mid_stage(states={PostState.PROCESSING}):
        polled = play.runs.deferred()[-3:]
        assert {one.task_id for one in polled} == {wait}
        assert play.runs.clear(run_id, polled) == len(polled)
    _wait_for_tries(play, polled)

    with play.mid_stage(states={PostState.PROCESSING}) as posts:
        play.complete({post.publish_id for post in posts[:3] if post.publish_id})
        play.wait_told(
            lambda: sum(post.is_closed for post in play.ledger.posts()) == 3, "3 posts to be done"
        )
        cleaned = [_task(play, post.file_name, clean_up) for post in posts[:3]]
        assert play.runs.clear(run_id, cleaned) == len(cleaned)
    _wait_for_tries(play, cleaned)

    assert {_single(play, run_id, task_id).state for task_id in LAST} == {None}
    with play.mid_stage(21, {PostState.PROCESSING}):
        # Else they would wait for these posts.
        play.runs.set_state(run_id, "failed")
        for task_id in LAST:
            assert play.runs.clear(run_id, [task_id]) == 1
            play.wait_told(lambda: play.runs.state_of(run_id) == "success", "the run to end")
            assert _single(play, run_id, task_id).state == "success"
    play.let_go()
    play.finish(next_day=True)  # the run that waited for them was ended


def test_a_run_cleared_from_any_task_on_after_it_published_posts_nothing_again(
    play: Play,
) -> None:
    first = play.drop(20)
    play.finish()
    run_id = _run_of(play, first[0].file_name)
    published = [(post.id, post.publish_id) for post in play.ledger.posts()]
    play.process_for(ENDLESS_S)
    play.drop(20, accounts=8)

    for task_id in TASKS:
        with play.mid_stage():
            assert play.runs.clear(run_id, [task_id], downstream=True) > 0
            assert play.runs.state_of(run_id) != "success"
        play.wait_told(
            lambda: play.runs.state_of(run_id) == "success",
            f"the run cleared from {task_id} on to end",
        )
        now = [(post.id, post.publish_id) for post in play.ledger.posts()]
        assert now[: len(published)] == published
    play.let_go()
    play.finish()


def _task(play: Play, file_name: str, task_id: str) -> Task:
    tasks = play.runs.tasks()
    # A task that is at work may have no label yet; those before it have.
    places = {(one.run_id, one.map_index) for one in tasks if one.label == file_name}
    return next(
        one for one in tasks if one.task_id == task_id and (one.run_id, one.map_index) in places
    )


def _single(play: Play, run_id: str, task_id: str) -> Task:
    """Return the instance of a task that a run has one of."""
    (found,) = [one for one in play.runs.tasks(run_id) if one.task_id == task_id]
    return found


def _run_of(play: Play, file_name: str) -> str:
    return _task(play, file_name, STAGES[0]).run_id


def _wait_for_tries(play: Play, cleared: list[Task]) -> None:
    """Wait until cleared tasks have begun again."""

    def has_begun(old: Task) -> bool:
        now = next(
            one
            for one in play.runs.tasks(old.run_id)
            if (one.task_id, one.map_index) == (old.task_id, old.map_index)
        )
        return now.try_number > old.try_number

    play.wait_told(lambda: all(map(has_begun, cleared)), "cleared tasks to begin again")
