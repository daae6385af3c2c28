"""The small DAGs beside the one that publishes, each while posts are on their way."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import Runs

#: Longer than files of rejected posts are kept.
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


def test_sweep_storage_deletes_what_nobody_needs_any_more_and_no_file_of_a_post(
    play: Play,
) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20, broken=1)
    # The file that is no video, and why it was rejected.
    play.wait_told(lambda: len(_files(play, "quarantine")) == 2, "a file in the quarantine")
    with play.mid_stage(19, {PostState.PROCESSING}), play.unpaused("sweep_storage") as dag:
        rejected = _files(play, "quarantine")
        ended = [post.id for post in play.ledger.posts() if post.state is PostState.REJECTED]
        play.ledger.change_posts(ended, state_since=datetime.now(UTC) - DAYS_40)
        # What is older than the first file of the ledger, another ledger may know.
        play.ledger.date_media(datetime.now(UTC) - DAYS_40)
        orphan, young = _leave_behind(play, days_ago=3), _leave_behind(play, days_ago=1)
        before = _files(play)

        found = {"quarantine": 1, "orphan": 1, "retention": 0}
        swept = _sweep(play, dag, dry_run=True)
        assert (swept["found"], swept["deleted"], swept["dry_run"]) == (found, 0, True)
        assert _files(play) == before
        swept = _sweep(play, dag)
        assert (swept["found"], swept["deleted"], swept["dry_run"]) == (found, 2, False)
        assert _files(play) == before - rejected - {orphan}
    young.unlink()
    play.let_go()
    play.finish()


def _files(play: Play, *folders: str) -> set[Path]:
    """Return the files in folders of the store, by default in all that are swept."""
    home = play.stack.folders.reelflow_home
    paths = chain.from_iterable((home / one).rglob("*") for one in folders or SWEPT)
    return {path for path in paths if path.is_file()}


def _leave_behind(play: Play, *, days_ago: float) -> Path:
    """Put a file among the sources that no row of the ledger names, as a crash may leave it."""
    path = play.stack.folders.reelflow_home / "media" / f"{uuid.uuid4().hex}.mp4"
    path.write_bytes(b"left by a crash")
    left_at_s = (datetime.now(UTC) - timedelta(days=days_ago)).timestamp()
    os.utime(path, (left_at_s, left_at_s))
    return path


def _sweep(play: Play, dag: Runs, **conf: Any) -> dict[str, Any]:
    """Run the DAG, and return what its task says that it found and did."""
    run_id = dag.trigger(**conf)
    play.wait_told(lambda: dag.state_of(run_id) == "success", "the sweep to end")
    swept: dict[str, Any] = dag.returned(run_id, "sweep_storage")
    return swept
