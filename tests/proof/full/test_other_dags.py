"""The small DAGs beside the one that publishes, each while posts are on their way."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play

DAYS_3_S = 3 * 24 * 3600


def test_reconcile_publications_settles_and_announces_what_no_run_waits_for(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage(20, {PostState.PROCESSING}):
        play.runs.set_paused(True)
        for run in play.runs.all():
            if run.state == "running":
                play.runs.set_state(run.run_id, "failed")
    play.ledger.let_claims_lapse()
    with play.unpaused("reconcile_publications") as dag:
        with play.mid_stage():
            play.let_go()
            run_id = dag.trigger()
        play.wait_told(lambda: dag.state_of(run_id) == "success", "the hour's run to settle them")
    # Which posts were announced is written down once Airflow knows that the task has ended.
    play.wait_told(
        lambda: all(post.is_closed for post in play.ledger.posts()), "every post to be closed"
    )
    play.runs.set_paused(False)
    play.finish()


def test_refresh_tiktok_tokens_renews_every_token_under_the_feet_of_posts(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.slow("put", times=8, delay_s=15)
    play.drop(20)
    before = play.ledger.token_versions()
    with play.unpaused("refresh_tiktok_tokens") as dag, play.mid_stage():
        play.ledger.let_tokens_end(timedelta(hours=3))
        run_id = dag.trigger()
        play.wait_told(lambda: dag.state_of(run_id) == "success", "all tokens to be renewed")
    after = play.ledger.token_versions()
    assert all(after[name] > version for name, version in before.items())
    play.let_go()
    play.finish()


def test_sweep_storage_deletes_what_no_row_names_and_no_file_of_a_post(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    media = play.stack.folders.reelflow_home / "media"
    orphans = [media / f"{number:032x}.mp4" for number in range(3)]
    long_ago = time.time() - DAYS_3_S
    play.wait_told(lambda: bool(play.ledger.mid_stage()), "the first post to be on its way")
    play.ledger.let_media_date_from(datetime.fromtimestamp(long_ago, UTC) - timedelta(days=1))
    with play.unpaused("sweep_storage") as dag, play.mid_stage():
        for orphan in orphans:
            orphan.write_bytes(b"left by a crash")
            os.utime(orphan, (long_ago, long_ago))
        run_id = dag.trigger()
        play.wait_told(lambda: dag.state_of(run_id) == "success", "the sweep to end")
    assert not [orphan for orphan in orphans if orphan.exists()]
    play.let_go()
    play.finish()
