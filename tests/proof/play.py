"""One case on a running stack: what is dropped, when the fault strikes, and how it must end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from demo.exceptions import StackError
from demo.waiting import wait_until
from reelflow.domain.post import DONE, PostState
from tests.proof.agreement import disagreements
from tests.proof.ledger import MID_STAGE, LedgerPost
from tests.proof.runs import ENDED, Run, Runs
from tests.proof.stack import ProofStack
from tests.proof.videos import Video, drop_videos, remove_files

#: So many posts are in the middle of their way when a fault strikes.
AT_LEAST: Final = 5
#: With nothing under way this long, no run waits any more for what is left at TikTok.
IDLE_S: Final = 10.0
UPLOADS: Final = "reelflow_uploads"
PUBLISHED: Final = "reelflow_published"
#: What no watcher takes: the run that waits for it died, or could not announce it.
AT_TIKTOK: Final = DONE | {PostState.PROCESSING}
#: Seconds of processing that no case waits for.
ENDLESS_S: Final = 80_000


class Play:
    """A case; it begins with an empty ledger, a simulator that knows nothing and no run under way.

    :param stack: of several cases; what one before it left dead is started again
    """

    def __init__(self, stack: ProofStack) -> None:
        self.stack = stack
        self.ledger = stack.ledger
        self.runs = Runs(stack)
        self.videos: list[Video] = []
        self.otherwise: dict[str, PostState] = {}
        #: Files that were at TikTok before the simulator's time.
        self.before: set[str] = set()

    def begin(self) -> None:
        """Bring the stack to a beginning, whatever the case before has left."""
        self.stack.mend()
        self.let_go()
        remove_files(self.stack.inbox)
        self.runs.set_paused(False)
        for run in self.runs.all():
            if run.state not in ENDED:
                self.runs.set_state(run.run_id, "failed")
        self.wait(self.runs.is_idle, "all runs of the case before to end")
        self.ledger.forget()
        remove_files(self.stack.folders.reelflow_home / "quarantine")
        self.simulator("POST", "/reset")
        # What a webhook tells would settle posts while a case wants nobody to know of them.
        self.simulator("POST", "/webhooks", {"url": None})
        self.stack.connect_accounts()

    def drop(
        self,
        count: int,
        *,
        accounts: int = 4,
        sidecars: Sequence[Mapping[str, Any]] = (),
        broken: int = 0,
    ) -> list[Video]:
        """Put videos into the inboxes of so many accounts, all within an instant.

        :param sidecars: of the first ones
        :param broken: so many of the last ones are no videos, and must end REJECTED
        """
        videos = drop_videos(
            self.stack.inbox,
            self.stack.account_names[:accounts],
            count,
            sidecars=sidecars,
            broken=broken,
        )
        self.videos += videos
        self.otherwise |= {one.file_name: PostState.REJECTED for one in videos[count - broken :]}
        return videos

    def simulator(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the simulator's control API."""
        return self.stack.running_simulator().control(method, path, body)

    def process_for(self, seconds: float) -> None:
        """Let TikTok take so long over every post, whoever asks."""
        self.simulator("POST", "/switches", {"processing_s": seconds})

    def slow(self, call: str, *, times: int, delay_s: float, **aim: str) -> None:
        """Let TikTok take its time over some calls."""
        fault = {"call": call, "kind": "slow", "delay_s": delay_s, "times": times, **aim}
        self.simulator("POST", "/fault", fault)

    def fail(self, call: str, *, times: int, **aim: str) -> None:
        """Let TikTok answer some calls with an error of its own, HTTP 500."""
        fault = {"call": call, "kind": "error", "status": 500, "code": "internal_error"}
        self.simulator("POST", "/fault", {**fault, "times": times, **aim})

    def let_go(self) -> None:
        """Let TikTok be done with everything at the next question."""
        self.process_for(0)
        self.simulator("POST", "/release")

    def complete(self, publish_ids: Collection[str]) -> None:
        """Let TikTok be done with those publications that it has every byte of, and no others."""
        for one in self.simulator("GET", "/uploads")["uploads"]:
            # It calls a publication so from its init on.
            is_processed = one["state"] == "PROCESSING_UPLOAD"
            has_all = one["received_bytes"] == one["video_size"]
            if one["publish_id"] in publish_ids and is_processed and has_all:
                self.simulator("POST", f"/uploads/{one['publish_id']}/complete")

    def open_id(self, account: str) -> str:
        """Return who an account is at TikTok."""
        known = self.stack.running_simulator().accounts
        return next(one.open_id for one in known if one.username == account)

    def wait(self, condition: Callable[[], bool], what: str, *, deadline_s: float = 240) -> None:
        """Wait for a condition while every component lives that was not killed."""
        wait_until(
            condition,
            deadline_s=deadline_s,
            waiting_for=what,
            check=self.stack.check_alive,
            interval_s=0.5,
        )

    def backfill(
        self,
        first: date,
        last: date,
        behavior: str,
        *,
        makes: int,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Run]:
        """Backfill some days, wait for the runs to end, and return them.

        :param makes: so many runs it makes, or makes again
        :param meanwhile: called on each round of the waiting
        """
        backfill_id = self.runs.backfill(first, last, behavior)
        made = self.runs.of_backfill(backfill_id)
        assert len(made) == makes, f"{behavior}: {made}"

        def ended() -> bool:
            meanwhile()
            return all(run.state in ENDED for run in self.runs.of_backfill(backfill_id))

        self.wait_told(ended, f"the backfill of {first} to {last} to end")
        return self.runs.of_backfill(backfill_id)

    @contextmanager
    def unpaused(self, dag_id: str) -> Iterator[Runs]:
        """Let a DAG run for a while that is paused at first."""
        runs = Runs(self.stack, dag_id)
        runs.set_paused(False)
        self.wait(lambda: not runs.is_due() and runs.is_idle(), f"the first run of {dag_id}")
        try:
            yield runs
        finally:
            runs.set_paused(True)

    @contextmanager
    def mid_stage(
        self, at_least: int = AT_LEAST, states: Collection[PostState] = MID_STAGE
    ) -> Iterator[list[LedgerPost]]:
        """Wait until posts are in the middle of their way, and assert that they were all the time.

        What the block does is done in between: five of the posts before it are there after it.

        :param at_least: so many the block waits for
        """

        def found() -> list[LedgerPost]:
            return self.ledger.mid_stage(states)

        self.wait_told(lambda: len(found()) >= at_least, f"{at_least} posts to be mid-stage")
        before = found()
        yield before
        lasting = {post.id for post in before} & {post.id for post in self.ledger.mid_stage()}
        assert len(lasting) >= AT_LEAST, f"of {len(before)} posts only {lasting} were mid-stage"

    def wait_told(
        self, condition: Callable[[], bool], what: str, *, deadline_s: float = 240
    ) -> None:
        """Wait, and tell where everything stands if it was in vain."""
        try:
            self.wait(condition, what, deadline_s=deadline_s)
        except StackError as error:
            raise AssertionError(f"{error}; {self.whereabouts()}") from error

    def whereabouts(self) -> str:
        """Say where posts, runs and tasks stand."""
        posts = [(post.id, str(post.state), post.reason) for post in self._posts()]
        runs = [(run.run_id, run.state) for run in self.runs.all() if run.state not in ENDED]
        open_ids = {run_id for run_id, _ in runs}
        tasks = Counter(
            (one.task_id, one.state) for one in self.runs.tasks() if one.run_id in open_ids
        )
        return f"runs: {runs}; tasks: {dict(tasks)}; posts: {posts}"

    def wait_known(self, videos: Sequence[Video]) -> None:
        """Wait until runs have made posts of files; the watcher wakes them, and nobody else."""
        self.wait_told(lambda: self.knows_all(videos), "runs to take the files", deadline_s=420)

    def knows_all(self, videos: Sequence[Video]) -> bool:
        """Whether runs have made posts of files."""
        return {video.file_name for video in videos} <= {one.file_name for one in self._posts()}

    def finish(self, *, deadline_s: float = 420, next_day: bool = False) -> None:
        """Bring every post to its end, and assert that ledger and simulator agree.

        The watcher has to wake every run that is needed, and runs to end what they began. A case
        whose run died lets its claims lapse itself: nobody may take its posts before.

        :param next_day: a run died, and may have left posts at TikTok: when nothing else is left,
            one run is started by hand in the place of the next day's, and no other
        """
        idle_since = None
        ends_at = time.monotonic() + deadline_s
        while not self._is_over():
            self.stack.check_alive()
            now = time.monotonic()
            assert now < ends_at, f"{self._disagreements()}; {self.whereabouts()}"
            if not self.runs.is_idle():
                idle_since = None
            elif idle_since is None:
                idle_since = now
            elif next_day and now - idle_since > IDLE_S and self._is_left_at_tiktok():
                self.runs.trigger()
                next_day = False
            time.sleep(0.5)
        left = self._disagreements()
        assert not left, left
        announced = {event["post_id"] for event in self.runs.events(PUBLISHED)}
        done = {post.id for post in self._posts() if post.state in DONE}
        assert done <= announced, f"published and never announced: {done - announced}"

    def _is_over(self) -> bool:
        return not self._open() and self.knows_all(self.videos) and self.runs.is_idle()

    def _is_left_at_tiktok(self) -> bool:
        """Whether the watcher has nothing to take, neither now nor when claims have lapsed."""
        is_at_tiktok = all(post.state in AT_TIKTOK for post in self._open())
        return is_at_tiktok and self.knows_all(self.videos)

    def _open(self) -> list[LedgerPost]:
        """Return the posts that are not at their end."""
        return [
            post
            for post in self._posts()
            if post.state != self.otherwise.get(post.file_name, PostState.PUBLISHED)
            or (post.state in DONE and not post.is_closed)
        ]

    def _disagreements(self) -> list[str]:
        simulator = self.simulator("GET", "/posts")
        return disagreements(self.videos, self._posts(), simulator, otherwise=self.otherwise)

    def _posts(self) -> list[LedgerPost]:
        """Return the case's posts."""
        return [post for post in self.ledger.posts() if post.file_name not in self.before]
