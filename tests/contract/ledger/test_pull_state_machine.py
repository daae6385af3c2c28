"""Whatever happens to a pull, in whatever order, TikTok never gets two of the post.

The init of a pull is the point of no return, and its answer comes only once. A model of TikTok
keeps the truth: a task that it opened is published or failed, once, and what it has not fetched
while the URL lives fails. Workers begin inits, sleep, die, and wake with an answer that is old;
TikTok's statuses and webhooks come late, twice and in any order; a person interferes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reelflow.domain.post import DONE, PAST_LAST_BYTE, PUBLISHED, PostState
from reelflow.exceptions import (
    IllegalTransitionError,
    LeaseLostError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
    TikTokRejectedError,
    TikTokUnreachableError,
)
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.publishing.pull_journal import PullJournal
from reelflow.services.settling.lost_init import INIT_ANSWER_LOST
from reelflow.services.settling.reconcile import reconcile
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.settling.webhooks import receive
from reelflow.services.steering import commands
from reelflow.services.steering.cancelling import ask_to_cancel
from reelflow.services.steering.resolving import resolve_not_published, resolve_published
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display_models import VideoPage
from reelflow.tiktok.models import InitAnswer, PublishStatus
from reelflow.tiktok.webhooks import WebhookEvent
from tests.contract.ledger.orders import ORDERS
from tests.contract.ledger.told_story import ToldStory
from tests.factories import Clock, forget_posts
from tests.postgresql import ON_BOTH_DATABASES

LEASE = timedelta(seconds=120)
LONGEST_PUT_S = 60.0
REFUSALS = (
    IllegalTransitionError,
    LeaseLostError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
)
PENDING, COMPLETE, FAILED = "PROCESSING_DOWNLOAD", "PUBLISH_COMPLETE", "FAILED"
EVENTS_OF = {COMPLETE: "post.publish.complete", FAILED: "post.publish.failed"}
#: What becomes of an init: answered; refused; or its answer lost, of a task that was opened or not.
Fate = Literal["stored", "refused", "lost", "lost_unopened"]
_numbers = itertools.count(1)


@dataclass
class Task:
    """What TikTok knows of one pull."""

    publish_id: str
    url_expires_at: datetime
    verdict: str = PENDING
    fail_reason: str = "video_pull_failed"

    def may_be_seen(self, now: datetime) -> bool:
        """Whether the post is public by this task, or may be yet."""
        return self.verdict == COMPLETE or (self.verdict == PENDING and now < self.url_expires_at)

    def answer(self) -> PublishStatus:
        return PublishStatus(
            self.verdict,
            fail_reason=self.fail_reason if self.verdict == FAILED else None,
            post_ids=("7000000000000000001",) if self.verdict == COMPLETE else (),
        )


class TikTok:
    """Tasks, and what is asked about them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tasks: list[Task] = []

    def open(self, url_expires_at: datetime) -> Task:
        task = Task(f"v_pub_url~v2-1.{next(_numbers)}", url_expires_at)
        self.tasks.append(task)
        return task

    def decide(self, task: Task, verdict: str) -> None:
        if task.verdict == PENDING:
            is_fetched = self._clock() < task.url_expires_at
            task.verdict = verdict if is_fetched else FAILED

    def is_published(self) -> bool:
        return any(task.verdict == COMPLETE for task in self.tasks)

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        (task,) = (task for task in self.tasks if task.publish_id == publish_id)
        return task.answer()

    def list_videos(self, account_id: int, cursor: int | None) -> VideoPage:
        raise AssertionError("a post that only its creator sees is in no list")

    def cancel(self, account_id: int, publish_id: str) -> None:
        (task,) = (task for task in self.tasks if task.publish_id == publish_id)
        if task.verdict != PENDING:
            raise TikTokRejectedError("too late", code="publish_not_cancellable")
        task.verdict, task.fail_reason = FAILED, "publish_cancelled"


@dataclass
class Worker:
    """A process that has a post pulled, and what it remembers while it sleeps."""

    journal: PullJournal
    url_expires_at: datetime | None = None
    is_answered: bool = False
    task: Task | None = None


class OnePull:
    """One post, its workers, TikTok, and a person."""

    def __init__(self, workspace: Workspace, clock: Clock, post: Post) -> None:
        self.workspace, self.clock, self.post_id = workspace, clock, post.id
        self.account, self.size_bytes = post.account, post.media.size_bytes
        self.tiktok = TikTok(clock)
        self.workers: dict[str, Worker] = {}
        self.answers: list[tuple[Task, PublishStatus]] = []
        self.events: list[WebhookEvent] = []
        self.story = ToldStory()
        self.named: dict[int, str] = {}
        self.was_unknown = False

    def read(self) -> tuple[Post, Publication | None]:
        with self.workspace.ledger.read() as session:
            post = posts.get(session, self.post_id)
            return post, publications.current(session, self.post_id)

    # The workers

    def pull(self, owner: str, fate: Fate, steps: int) -> None:
        """Go on where this worker stopped, however long it slept; a refusal ends it."""
        for _ in range(steps):
            try:
                if owner in self.workers:
                    self._go_on(owner, fate)
                else:
                    self._take_over(owner)
            except REFUSALS:
                self.workers.pop(owner, None)
                return

    def kill(self, owner: str) -> None:
        self.workers.pop(owner, None)

    def _take_over(self, owner: str) -> None:
        with self.workspace.ledger.write() as session:
            token = posts.take_lease(
                session, self.post_id, owner=owner, now=self.clock(), lease=LEASE
            )
        if token is None:
            return
        journal = PullJournal(self.workspace, self.post_id, actor=owner, fencing_token=token)
        post = journal.start()
        publication = journal.publication()
        if post.state is PostState.COMMITTING:
            if publication is None or publication.publish_id is None:
                journal.lost_pull("the process that asked ended")
        elif post.state is PostState.UPLOADING:
            self.workers[owner] = Worker(journal)

    def _go_on(self, owner: str, fate: Fate) -> None:
        worker = self.workers[owner]
        if worker.url_expires_at is None:
            # The URL is signed first, so it lives no longer than this.
            expires_at = self.clock() + self.workspace.rules.public_url_lifetime
            worker.journal.begin_pull(self.size_bytes)
            worker.url_expires_at = expires_at
        elif not worker.is_answered:
            is_opened = fate in ("stored", "lost")
            task = self.tiktok.open(worker.url_expires_at) if is_opened else None
            worker.is_answered, worker.task = True, task if fate == "stored" else None
            if fate == "refused":
                self.kill(owner)
                worker.journal.refused_pull("TikTok did not open it")
                worker.journal.record_failure(TikTokUnreachableError("nobody answers"))
        else:
            self.kill(owner)
            if worker.task is None:
                worker.journal.lost_pull("no answer came")
            else:
                worker.journal.pulled(InitAnswer(worker.task.publish_id, None))

    # TikTok

    def decide(self, age: int, verdict: str) -> None:
        for task in self.tiktok.tasks[-1 - age :][:1]:
            self.tiktok.decide(task, verdict)

    def ask(self, age: int) -> None:
        for task in self.tiktok.tasks[-1 - age :][:1]:
            with self.workspace.ledger.read() as session:
                is_known = publications.by_publish_id(session, task.publish_id) is not None
            if is_known:
                self.answers.append((task, task.answer()))

    def hear(self, age: int) -> None:
        """Take in an answer, the latest or an older one, for the first time or again."""
        for task, status in self.answers[-1 - age :][:1]:
            apply_status(self.workspace, self.post_id, task.publish_id, status, actor="status")

    def tell(self, age: int) -> None:
        for task in self.tiktok.tasks[-1 - age :][:1]:
            if task.verdict in EVENTS_OF:
                self.events.append(self._event(task))

    def _event(self, task: Task) -> WebhookEvent:
        return WebhookEvent(
            event=EVENTS_OF[task.verdict],
            client_key="app",
            create_time=self.clock().replace(microsecond=0),
            user_openid=self.account.open_id,
            publish_id=task.publish_id,
            publish_type="DIRECT_PUBLISH",
            post_id=None,
            reason=task.fail_reason if task.verdict == FAILED else None,
            content="{}",
            digest=f"{next(_numbers):064}",
        )

    def deliver(self, age: int) -> None:
        """Let a webhook come, the latest or an older one, for the first time or again."""
        for event in self.events[-1 - age :][:1]:
            receive(self.workspace, event)

    # Time, the next run and a person

    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    def sweep(self) -> None:
        return_stalled_uploads(self.workspace, actor="sweep")
        reconcile(self.workspace, self.tiktok, actor="sweep", longest_put_s=LONGEST_PUT_S)

    def interfere(self) -> None:
        """A person tells what became of the post, or stops it, and wants it after all."""
        for step in (self._resolve, self._cancel, self._retry):
            before = self.read()[0].state
            try:
                step()
            except IllegalTransitionError:
                assert self.read()[0].state is before
            except TikTokRejectedError:
                pass  # too late to stop it

    def _resolve(self) -> None:
        resolve = resolve_published if self.tiktok.is_published() else resolve_not_published
        resolve(self.workspace, self.post_id, actor="person")

    def _cancel(self) -> None:
        if self.read()[0].state in PAST_LAST_BYTE:
            ask_to_cancel(self.workspace, self.tiktok, self.post_id, actor="person")
        else:
            commands.cancel(self.workspace, self.post_id, actor="person")

    def _retry(self) -> None:
        commands.retry(self.workspace, self.post_id, actor="person")

    # What always holds

    def check(self) -> None:
        post, history = self.story.check(self.workspace, self.post_id)
        # TikTok shows the post at most once, and the ledger calls nothing else done.
        assert sum(task.may_be_seen(self.clock()) for task in self.tiktok.tasks) <= 1
        assert post.state not in DONE or self.tiktok.is_published()
        # UNKNOWN is what an answer that nobody had makes of a post, and nothing else.
        if post.state is PostState.UNKNOWN:
            (current,) = (one for one in history if one.is_current)
            assert post.reason_code == INIT_ANSWER_LOST
            assert self.was_unknown or current.id not in self.named
        self.was_unknown = post.state is PostState.UNKNOWN
        # An init has one task for ever, and no task has two.
        named = {one.id: one.publish_id for one in history if one.publish_id is not None}
        assert named.items() >= self.named.items()
        assert len(set(named.values())) == len(named)
        self.named = named

    def settle(self) -> None:
        """Let everything end, and be told, at last: the ledger knows then what is public."""
        self.workers.clear()
        self.wait(130)
        for age in range(len(self.tiktok.tasks)):
            self.decide(age, FAILED)
            self.tell(age)
            self.deliver(0)
        for _ in range(2):
            self.sweep()
            self.wait(70)
        if self.read()[0].state is PostState.UNKNOWN:
            self._resolve()
        self.check()
        state = self.read()[0].state
        assert state not in PAST_LAST_BYTE | {PostState.UPLOADING, PostState.UNKNOWN}
        assert (state in PUBLISHED) is self.tiktok.is_published()


Step = Callable[[OnePull], None]
FATES: tuple[Fate, ...] = ("stored", "stored", "lost", "lost_unopened", "refused")
#: What happens to a post; an age of 0 is the latest.
EVENTS: list[Step] = [
    *(
        partial(OnePull.pull, owner=o, fate=f, steps=n)
        for f in FATES
        for o, n in (("a", 4), ("b", 2))
    ),
    *(partial(OnePull.pull, owner=owner, fate="stored", steps=1) for owner in "ab"),
    *(partial(OnePull.kill, owner=owner) for owner in "ab"),
    *(partial(OnePull.decide, age=age, verdict=v) for age in (0, 1) for v in (COMPLETE, FAILED)),
    *(partial(OnePull.ask, age=age) for age in (0, 1)),
    *(partial(OnePull.hear, age=age) for age in (0, 1)),
    *(partial(OnePull.tell, age=age) for age in (0, 0, 1)),
    *(partial(OnePull.deliver, age=age) for age in (0, 0, 1)),
    *(partial(OnePull.wait, minutes=minutes) for minutes in (3, 3, 70, 130)),
    *(OnePull.sweep,) * 3,
    *(OnePull.interfere,) * 3,
]

#: A worker sleeps before its init until a person may say that the post is nowhere and has it posted
#: again; then it wakes, and TikTok opens what it can fetch no more.
SLEEPER: list[Step] = [
    partial(OnePull.pull, owner="a", fate="stored", steps=2),
    partial(OnePull.wait, minutes=130),
    OnePull.sweep,
    OnePull.interfere,
    partial(OnePull.pull, owner="b", fate="stored", steps=4),
    partial(OnePull.decide, age=0, verdict=COMPLETE),
    partial(OnePull.pull, owner="a", fate="stored", steps=2),
    partial(OnePull.decide, age=0, verdict=COMPLETE),
]

#: The process ends before it has the answer, a run finds that, and a webhook tells of the task.
ADOPTED: list[Step] = [
    partial(OnePull.pull, owner="a", fate="lost", steps=3),
    partial(OnePull.kill, owner="a"),
    partial(OnePull.decide, age=0, verdict=COMPLETE),
    partial(OnePull.tell, age=0),
    partial(OnePull.deliver, age=0),
    partial(OnePull.wait, minutes=3),
    OnePull.sweep,
    partial(OnePull.deliver, age=0),
]


@ON_BOTH_DATABASES
@example(events=SLEEPER)
@example(events=ADOPTED)
@given(events=st.permutations(EVENTS))
@settings(
    max_examples=ORDERS // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_order_of_events_has_a_post_pulled_twice_or_tells_two_stories(
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    clock: Clock,
    events: list[Step],
) -> None:
    forget_posts(workspace)  # another post's lost init would make this one's uncertain
    one = OnePull(workspace, clock, make_post(account))
    for happen in events:
        happen(one)
        one.check()
    one.settle()
