"""Events are wake-ups only: bursts, duplicates, lost ones and a pause change only the moment."""

from __future__ import annotations

from collections import Counter

from tests.proof.play import ENDLESS_S, UPLOADS, Play

BURST = 100
#: Five posts each: as many as TikTok's six inits a minute let through at once.
BURST_ACCOUNTS = 20
#: Of the same work, said by others than the watcher.
DUPLICATES = 30


def test_a_burst_of_uploads_and_of_duplicate_events_publishes_each_once(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(BURST, accounts=BURST_ACCOUNTS)

    with play.mid_stage():
        for _ in range(DUPLICATES):
            play.runs.post_event(UPLOADS)
    play.let_go()
    play.finish(deadline_s=900)

    taken = Counter(post_id for ids in play.ledger.batches().values() for post_id in ids)
    assert len(taken) == BURST
    assert set(taken.values()) == {1}, "a post was in the batches of two runs"


def test_what_comes_while_the_dag_is_paused_goes_out_when_it_goes_on(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage():
        play.runs.set_paused(True)
        play.wait_told(
            lambda: not {one.state for one in play.runs.tasks()} & {"queued", "running"},
            "the tasks under way to end",
        )
        known = play.runs.ids()
        late = play.drop(20, accounts=8)
        for _ in range(3):
            play.runs.post_event(UPLOADS)  # lost: Airflow queues no run of a paused DAG
        assert play.runs.ids() == known
    files = {post.file_name for post in play.ledger.posts()}
    assert not files & {video.file_name for video in late}

    play.let_go()
    play.runs.set_paused(False)
    play.finish()
