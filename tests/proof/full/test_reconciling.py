"""What no run waits for any more: people are told of it once, and TikTok's word settles it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from reelflow.domain.post import DONE, PostState
from tests.proof.ledger import LedgerPost
from tests.proof.play import ENDLESS_S, Play
from tests.proof.receiver import Receiver
from tests.proof.runs import Runs
from tests.proof.seeds import Seeds

DAG = "reconcile_publications"
UNSETTLED, LATE = "tell_unsettled_posts", "tell_late_posts"
HOUR = timedelta(hours=1)
#: With which an account's videos may be listed, and a post be found among them.
MAY_LIST = "video.list,video.publish,video.upload"
_S = PostState
#: Where the first three of the troubled posts then stand.
NOT_SETTLED = (_S.UNKNOWN, _S.PROCESSING, _S.FAILED)


@dataclass(frozen=True)
class Troubled:
    """Posts at TikTok to each of which something else happens.

    :param lost: of which TikTok knows nothing for more than 72 hours
    :param stuck: on which it works for more than a day
    :param failed: which it fails
    :param unlinked: which it publishes without telling its link for a long time
    :param listed: as before, and its account's videos may be listed
    """

    lost: LedgerPost
    stuck: LedgerPost
    failed: LedgerPost
    unlinked: LedgerPost
    listed: LedgerPost

    @classmethod
    def of(cls, posts: list[LedgerPost]) -> Self:
        """Choose some of those that are at TikTok."""
        lost, stuck, failed, unlinked, *others = posts
        listed = next(post for post in others if post.account != unlinked.account)
        return cls(lost, stuck, failed, unlinked, listed)

    def strike(self, play: Play) -> None:
        """Let it happen."""
        long_ago = datetime.now(UTC) - 80 * HOUR
        play.ledger.change_posts([self.lost.id], state_since=long_ago)
        play.ledger.change_publication(
            self.lost.id, publish_id="v_pub_file~forgotten", tiktok_status_at=long_ago
        )
        play.ledger.change_posts([self.stuck.id], state_since=datetime.now(UTC) - 30 * HOUR)
        reason = {"fail_reason": "file_format_check_failed"}
        play.simulator("POST", f"/uploads/{self.failed.publish_id}/fail", reason)
        play.simulator("POST", "/switches", {"link_s": ENDLESS_S})
        play.complete({post.publish_id for post in self._published if post.publish_id})

    def mend(self, play: Play) -> None:
        """Let TikTok know and tell all."""
        play.ledger.change_publication(self.lost.id, publish_id=self.lost.publish_id)
        play.simulator("POST", "/switches", {"link_s": 0})
        play.let_go()

    def let_ask_again(self, play: Play) -> None:
        """Make it as if TikTok had last been asked for the links two hours ago."""
        for post in self._published:
            asked_at = datetime.now(UTC) - 2 * HOUR
            play.ledger.change_publication(post.id, tiktok_status_at=asked_at)

    def states(self, play: Play) -> list[PostState]:
        """Return where they stand, in their order."""
        states = {post.id: post.state for post in play.ledger.posts()}
        ours = (self.lost, self.stuck, self.failed, self.unlinked, self.listed)
        return [states[post.id] for post in ours]

    @property
    def _published(self) -> tuple[LedgerPost, LedgerPost]:
        return self.unlinked, self.listed


def test_what_no_run_waits_for_is_told_of_once_and_settled_as_soon_as_tiktok_speaks(
    play: Play, receiver: Receiver
) -> None:
    with play.stack.settings(receiver.environment, "scheduler"), play.unpaused(DAG) as dag:
        play.process_for(ENDLESS_S)
        missed, *_ = play.drop(21, accounts=10, sidecars=wishes(21))
        play.otherwise[missed.file_name] = _S.MISSED
        with play.mid_stage(20, {_S.PROCESSING}) as sent:
            end_all_runs(play)
            late, troubled = leave_due(play), Troubled.of(sent)
            troubled.strike(play)
            play.otherwise[troubled.failed.file_name] = _S.FAILED
            assert_told(play, dag, troubled, late)
            assert_listed(play, dag, troubled)
            events = {
                troubled.lost.file_name: "post.unknown",
                troubled.stuck.file_name: "post.stuck",
                troubled.failed.file_name: "post.failed",
                missed.file_name: "post.missed",
                late: "post.late",
            }
            wait_for_alerts(play, receiver, events)
        keys = [message["key"] for message in receiver.told]
        assert len(keys) == len(set(keys)), "people were told of something twice"

        with play.mid_stage():
            troubled.let_ask_again(play)
            troubled.mend(play)
            run_id = dag.trigger()
        play.wait_told(lambda: dag.state_of(run_id) == "success", "all to be settled")
        # Which posts were announced is written down once Airflow knows that the task has ended.
        play.wait_told(
            lambda: all(one.is_closed for one in play.ledger.posts() if one.state in DONE),
            "every post to be closed",
        )
        assert troubled.states(play) == [_S.PUBLISHED] * 2 + [_S.FAILED] + [_S.PUBLISHED] * 2
        play.runs.set_paused(False)
        play.stack.restart("triggerer")
        play.finish(next_day=True)  # what waited for them was ended


def wishes(count: int) -> list[dict[str, str]]:
    """Return sidecars: of one that is too late for a normal run, and with a caption each."""
    yesterday = datetime.now(UTC) - 25 * HOUR
    captions = [{"caption": f"day {number} on the trail"} for number in range(1, count)]
    return [{"publish_at": yesterday.isoformat()}, *captions]


def end_all_runs(play: Play) -> None:
    """Leave the posts under way to nobody: no run goes on, none begins, and no trigger polls.

    A task that has not yet left its post to the triggerer would claim it anew.
    """
    sent = len(play.ledger.mid_stage({_S.PROCESSING}))
    play.wait_told(
        lambda: len(play.runs.deferred()) >= sent, "every post to be left to the triggerer"
    )
    play.stack.end("triggerer")
    play.runs.set_paused(True)
    for run in play.runs.all():
        if run.state == "running":
            play.runs.set_state(run.run_id, "failed")
    play.ledger.let_claims_lapse()


def leave_due(play: Play) -> str:
    """Put a post into the ledger that was due an hour ago; return its file's name."""
    seeds = Seeds(play.ledger.workspace, play.stack.account_names[10:11])
    due_at = datetime.now(UTC) - HOUR
    seed = seeds.post(due_at.date(), _S.READY, publish_at=due_at, due_at=due_at)
    play.videos.append(seed.video)
    return seed.video.file_name


def assert_told(play: Play, dag: Runs, troubled: Troubled, late: str) -> None:
    """Run the DAG, and see that it is red for what needs a person."""
    run_to_end(play, dag)
    assert troubled.states(play) == [*NOT_SETTLED, _S.PUBLISHED_NO_LINK, _S.PUBLISHED_NO_LINK]
    said = dag.log_of(red_run(dag, UNSETTLED), UNSETTLED)
    assert "posts that need a person: 3, and 0 told of before" in said
    for post in (troubled.lost, troubled.stuck, troubled.failed):
        assert f"post {post.id} ({post.file_name}, {post.account})" in said
    said = dag.log_of(red_run(dag, LATE), LATE)
    assert "late posts that nothing known holds up: 1" in said
    assert f"({late}, " in said


def assert_listed(play: Play, dag: Runs, troubled: Troubled) -> None:
    """Run the DAG again, and see that it is red no more, and finds a post among the videos."""
    play.ledger.change_account(troubled.listed.account, scopes=MAY_LIST)
    troubled.let_ask_again(play)
    run_id = run_to_end(play, dag)
    assert dag.state_of(run_id) == "success"
    assert dag.returned(run_id, UNSETTLED) == sorted([troubled.lost.id, troubled.stuck.id])
    assert dag.returned(run_id, LATE) == {"late": 1, "told": []}
    assert troubled.states(play) == [*NOT_SETTLED, _S.PUBLISHED_NO_LINK, _S.PUBLISHED]


def run_to_end(play: Play, dag: Runs) -> str:
    """Start a run, wait for its end, and return its id."""
    run_id = dag.trigger()
    play.wait_told(dag.is_idle, f"{run_id} to end")
    return run_id


def red_run(dag: Runs, task_id: str) -> str:
    """Return the one run in which a task has failed."""
    (failed,) = [one for one in dag.tasks() if (one.task_id, one.state) == (task_id, "failed")]
    return failed.run_id


def wait_for_alerts(play: Play, receiver: Receiver, events: dict[str, str]) -> None:
    """Wait until people were told of each file what is given, last of all.

    Until TikTok was asked, one that is lost is stuck as well.
    """
    for name, event in events.items():

        def is_told(name: str = name, event: str = event) -> bool:
            told = receiver.about(name)
            return bool(told) and told[-1]["event"] == event

        play.wait_told(is_told, f"{event} to be told of {name}")
