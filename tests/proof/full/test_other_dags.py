"""The small DAGs beside the one that publishes, each while posts are on their way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play

#: Longer than files of rejected posts are kept.
DAYS_40 = timedelta(days=40)


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


def test_sweep_storage_deletes_what_ended_long_ago_and_no_file_of_a_post(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20, broken=1)
    quarantine = play.stack.folders.reelflow_home / "quarantine"

    def rejected() -> list[Path]:
        return list(quarantine.rglob("*.mp4"))

    play.wait_told(lambda: len(rejected()) == 1, "the file that is no video to be rejected")
    with play.unpaused("sweep_storage") as dag, play.mid_stage():
        assert rejected()
        ended = [post.id for post in play.ledger.posts() if post.state is PostState.REJECTED]
        play.ledger.change_posts(ended, state_since=datetime.now(UTC) - DAYS_40)
        run_id = dag.trigger()
        play.wait_told(lambda: dag.state_of(run_id) == "success", "the sweep to end")
    assert not rejected()
    play.let_go()
    play.finish()
