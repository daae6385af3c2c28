"""The small DAGs beside the one that publishes, each while posts are on their way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from reelflow.domain.post import PostState
from tests import factories
from tests.proof.play import ENDLESS_S, Play
from tests.proof.seeds import Seeds
from tests.proof.sweeping import SWEEP, Swept, sweep

#: Longer than files are kept of posts that were rejected, failed or were cancelled.
DAYS_40 = timedelta(days=40)
SWEPT = ("media", "thumbnails", "quarantine")


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
    # The file that is no video, and why it was rejected.
    play.wait_told(lambda: len(_files(play, "quarantine")) == 2, "a file in the quarantine")
    long_ago = _end(play, state_since=datetime.now(UTC) - DAYS_40)
    just_now = _end(play)
    with play.mid_stage(19, {PostState.PROCESSING}), play.unpaused(SWEEP) as dag:
        before, rejected = _files(play), _files(play, "quarantine")
        ended = [post.id for post in play.ledger.posts() if post.state is PostState.REJECTED]
        play.ledger.change_posts(ended, state_since=datetime.now(UTC) - DAYS_40)
        found = Swept(orphan=0, quarantine=1, retention=2, deleted=0)
        assert sweep(play, dag, dry_run=True) == found
        assert _files(play) == before
        assert long_ago | just_now <= before
        assert sweep(play, dag) == replace(found, deleted=3)
        assert _files(play) == before - rejected - long_ago
    play.let_go()
    play.finish()


def _end(play: Play, **columns: Any) -> set[Path]:
    """Put a post that failed and one that was cancelled; return where their sources lie."""
    seeds = Seeds(play.ledger.workspace, play.stack.account_names[4:6])
    day = (datetime.now(UTC) - DAYS_40).date()
    sources = set()
    for state in (PostState.FAILED, PostState.CANCELLED):
        seed = seeds.post(day, state, **columns)
        play.videos.append(seed.video)
        play.otherwise[seed.video.file_name] = state
        post = factories.read_post(play.ledger.workspace, seed.post_id)
        sources.add(play.stack.folders.reelflow_home / post.media.source_path)
    return sources


def _files(play: Play, *folders: str) -> set[Path]:
    """Return the files in folders of the store, by default in all that are swept."""
    home = play.stack.folders.reelflow_home
    paths = chain.from_iterable((home / one).rglob("*") for one in folders or SWEPT)
    return {path for path in paths if path.is_file()}
