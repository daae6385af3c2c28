"""The short form of the proof: what most often dies, dies while posts are in the middle of it."""

from __future__ import annotations

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play


def test_scheduler_and_triggerer_killed_mid_stage_change_nothing_but_the_moment(
    play: Play,
) -> None:
    play.process_for(ENDLESS_S)
    play.slow("put", times=6, delay_s=15)
    play.drop(8)

    with play.mid_stage():
        play.stack.kill("scheduler")
    play.stack.restart("scheduler")

    with play.mid_stage(8, {PostState.PROCESSING}):
        play.stack.kill("triggerer")
    play.let_go()
    play.stack.restart("triggerer")

    play.finish()
