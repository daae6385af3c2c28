"""Events are wake-ups only: bursts, duplicates, lost ones and a pause change only the moment."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from reelflow.domain.post import PostState
from tests.proof.play import AT_LEAST, ENDLESS_S, UPLOADS, Play

BURST = 100
#: Five posts each, and a sixth of those that are mid-stage: as many as TikTok's six inits a minute
#: let through at once.
BURST_ACCOUNTS = 20
#: Of the same work, said by others than the watcher.
DUPLICATES = 30
#: After so many, a scheduler that would make a run of an event has made it.
LOOPS = 5


def test_a_burst_of_uploads_and_of_duplicate_events_publishes_each_once(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(AT_LEAST, accounts=AT_LEAST)

    with play.mid_stage(states={PostState.PROCESSING}):
        burst = play.drop(BURST, accounts=BURST_ACCOUNTS)
        for _ in range(DUPLICATES):
            play.runs.post_event(UPLOADS)
        play.wait_known(burst)
    play.let_go()
    play.finish(deadline_s=900)

    taken = Counter(post_id for ids in play.ledger.batches().values() for post_id in ids)
    assert len(taken) == AT_LEAST + BURST
    assert set(taken.values()) == {1}, "a post was in the batches of two runs"


def test_what_comes_while_the_dag_is_paused_goes_out_when_it_goes_on(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage():
        play.wait_told(play.runs.take_no_more, "all runs to have their posts")
        play.runs.set_paused(True)
        play.wait_told(
            lambda: not {one.state for one in play.runs.tasks()} & {"queued", "running"},
            "the tasks under way to end",
        )
        known = play.runs.ids()
        # One each: beside the first five of an account, more would have to wait for a minute.
        late = play.drop(20, accounts=BURST_ACCOUNTS)
        for _ in range(3):
            play.runs.post_event(UPLOADS)  # lost: Airflow queues no run of a paused DAG
        _wait_for_loops(play, LOOPS)
        assert play.runs.ids() == known
        files = {post.file_name for post in play.ledger.posts()}
        assert not files & {video.file_name for video in late}

    play.let_go()
    play.runs.set_paused(False)
    play.finish()


def test_what_no_event_tells_of_is_taken_by_the_daily_run(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.stack.end("triggerer")  # and the watcher with it
    play.wait_told(play.runs.take_no_more, "what the watcher had said to be heard")
    play.runs.set_paused(True)
    play.runs.miss_daily_run()
    videos = play.drop(20)
    play.wait_told(play.runs.is_due, "Airflow to see that a daily run is missing")
    assert not play.ledger.posts(), "a run took files of a paused DAG"
    play.runs.set_paused(False)

    with play.mid_stage(len(videos), {PostState.PROCESSING}):
        (run_id,) = play.ledger.batches()
        types = {run.run_id: run.run_type for run in play.runs.all()}
        assert types[run_id] == "scheduled"
        play.stack.restart("triggerer")
    play.let_go()
    play.finish()
    assert list(play.ledger.batches()) == [run_id]


def _wait_for_loops(play: Play, count: int) -> None:
    """Wait until the scheduler has been through so many of its loops."""
    beats: set[datetime] = set()

    def are_over() -> bool:
        beats.add(play.runs.scheduler_beat())
        return len(beats) > count + 1  # one was before, one ends the loop under way

    play.wait_told(are_over, f"{count} loops of the scheduler")
