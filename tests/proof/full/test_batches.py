"""Batches: a backlog wakes the next run, and the one member that is left goes its way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain

from reelflow.domain.post import PostState
from tests.proof.backlog import BACKLOG_ACCOUNTS, BATCH, DUE
from tests.proof.play import ENDLESS_S, UPLOADS, Play
from tests.proof.runs import STAGES

BEGINNERS = ("scheduler", "triggerer")


def test_a_backlog_is_taken_batch_by_batch_by_runs_that_wake_each_other(play: Play) -> None:
    with play.stack.settings({"REELFLOW_BATCH_SIZE": str(BATCH)}, *BEGINNERS):
        due_at = datetime.now(UTC) + timedelta(seconds=45 + DUE / 5)
        wish = {"publish_at": due_at.isoformat()}
        play.process_for(ENDLESS_S)
        play.drop(DUE, accounts=BACKLOG_ACCOUNTS, sidecars=[wish] * DUE)
        play.wait_told(lambda: len(play.ledger.posts()) == DUE, f"{DUE} posts to be known")
        assert not play.ledger.batches(), "a run took posts before their time"
        play.wait_told(lambda: datetime.now(UTC) > due_at, "the posts to be due", deadline_s=600)

        with play.mid_stage():
            play.runs.post_event(UPLOADS)
        play.let_go()
        play.finish(deadline_s=300 + 5 * DUE)

    batches = play.ledger.batches()
    assert sorted(chain.from_iterable(batches.values())) == [p.id for p in play.ledger.posts()]
    assert max(len(ids) for ids in batches.values()) == BATCH
    assert -(-DUE // BATCH) <= len(batches) <= 2 * -(-DUE // BATCH)
    assert datetime.now(UTC) > due_at
    assert all(post.sent_at and post.sent_at >= due_at for post in play.ledger.posts())


def test_one_surviving_member_goes_its_way_when_all_others_of_its_batch_fail(play: Play) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20, broken=10)

    with play.mid_stage(10, {PostState.PROCESSING}) as posts:
        survivor, *others = posts
        for post in others:
            play.simulator(
                "POST",
                f"/uploads/{post.publish_id}/fail",
                {"fail_reason": "file_format_check_failed"},
            )
    play.otherwise |= {post.file_name: PostState.FAILED for post in others}
    play.let_go()
    play.finish()

    run_id = next(iter(play.ledger.batches()))
    assert play.runs.state_of(run_id) == "failed"
    own = [one for one in play.runs.tasks(run_id) if one.label == survivor.file_name]
    assert {one.task_id: one.state for one in own} == dict.fromkeys(STAGES, "success")
