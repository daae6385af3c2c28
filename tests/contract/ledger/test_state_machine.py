"""Whatever happens to a post, in whatever order, TikTok never gets two of it.

A model of TikTok that keeps the truth: a publication is complete once its last byte has landed, and
is then published or failed, once. Uploaders take the post over from each other, sleep, wake and go
on; TikTok's answers are kept and delivered late, twice and in any order; a person interferes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reelflow.domain.post import DONE, PUBLISHED, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    IllegalTransitionError,
    LeaseLostError,
    PostFailedError,
    PostNotTakeableError,
)
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.settling.reopening import proves_incomplete, reopen
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.stalled import return_stalled_uploads, supersede_expired
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import InitAnswer, PublishStatus
from tests.contract.ledger.orders import ORDERS
from tests.contract.ledger.told_story import ToldStory
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

LEASE = timedelta(seconds=120)
URL_LIFETIME = timedelta(hours=1)
LONGEST_PUT_S = 60.0
UPLOAD_URL = "https://open-upload-sg.tiktokapis.com/upload?upload_id=1&upload_token=t"
REFUSALS = (IllegalTransitionError, LeaseLostError, PostFailedError, PostNotTakeableError)
#: What TikTok may make of a complete upload; the last two are final.
PENDING = "PROCESSING_UPLOAD"
VERDICTS = (PENDING, "PUBLISH_COMPLETE", "FAILED")
UNFINISHED = (PublicationState.INITIATING, PublicationState.UPLOADING)


@dataclass
class Upload:
    """What TikTok knows of one publication."""

    publish_id: str
    size_bytes: int
    expires_at: datetime
    last_byte_sent: bool = False
    is_complete: bool = False
    verdict: str = PENDING

    def answer(self) -> PublishStatus:
        held = self.size_bytes if self.is_complete else self.size_bytes - 1
        published = self.verdict == "PUBLISH_COMPLETE"
        return PublishStatus(
            self.verdict,
            fail_reason="file_format_check_failed" if self.verdict == "FAILED" else None,
            post_ids=("7000000000000000001",) if published else (),
            uploaded_bytes=held,
        )


@dataclass
class Uploader:
    """A process that uploads, and what it remembers while it sleeps."""

    journal: UploadJournal
    upload: Upload | None = None


class OnePost:
    """One post, its uploaders, TikTok, and a person."""

    def __init__(self, workspace: Workspace, clock: Clock, post: Post) -> None:
        self.workspace, self.clock, self.post_id = workspace, clock, post.id
        self.size_bytes = post.media.size_bytes
        self.uploaders: dict[str, Uploader] = {}
        self.tokens: list[int] = []
        self.uploads: list[Upload] = []
        self.answers: list[tuple[Upload, PublishStatus, datetime]] = []
        self.story = ToldStory()

    def read(self) -> Post:
        with self.workspace.ledger.read() as session:
            return posts.get(session, self.post_id)

    # The uploaders

    def upload(self, owner: str, steps: int) -> None:
        """Go on where this uploader stopped, however long it slept; a refusal ends it."""
        for _ in range(steps):
            try:
                if owner in self.uploaders:
                    self._go_on(self.uploaders[owner])
                else:
                    self._take_over(owner)
            except REFUSALS:
                self.uploaders.pop(owner, None)
                return

    def _take_over(self, owner: str) -> None:
        with self.workspace.ledger.write() as session:
            token = posts.take_lease(
                session, self.post_id, owner=owner, now=self.clock(), lease=LEASE
            )
        if token is not None:
            self.tokens.append(token)
            journal = UploadJournal(self.workspace, self.post_id, actor=owner, fencing_token=token)
            journal.start()
            self.uploaders[owner] = Uploader(journal)

    def _go_on(self, uploader: Uploader) -> None:
        journal, upload = uploader.journal, uploader.upload
        if upload is None:
            uploader.upload = self._begin_or_adopt(journal)
        elif upload.is_complete:
            journal.sent(self.size_bytes)
        elif upload.expires_at <= self.clock():
            uploader.upload = None
        else:
            journal.commit()  # from here on the last byte may be on its way
            upload.last_byte_sent = True

    def _begin_or_adopt(self, journal: UploadJournal) -> Upload | None:
        publication = journal.publication()
        if not journal.is_uploading():
            return None
        if publication is None or publication.state not in UNFINISHED:
            return self._open(journal)
        if journal.has_expired(publication):
            journal.supersede("its hour passed")
            return None
        return next(u for u in self.uploads if u.publish_id == publication.publish_id)

    def _open(self, journal: UploadJournal) -> Upload:
        journal.begin_publication(TikTokLimits().plan(self.size_bytes))
        publish_id = f"p-{self.post_id}-{len(self.uploads)}"
        upload = Upload(publish_id, self.size_bytes, self.clock() + URL_LIFETIME)
        self.uploads.append(upload)
        journal.opened(InitAnswer(publish_id, UPLOAD_URL), lifetime=URL_LIFETIME)
        return upload

    # TikTok

    def receive(self, age: int, verdict: str) -> None:
        """The last byte lands, if it was sent in time; then TikTok may make up its mind."""
        for upload in self.uploads[-1 - age :][:1]:
            in_time = self.clock() <= upload.expires_at + timedelta(seconds=LONGEST_PUT_S)
            upload.is_complete |= upload.last_byte_sent and in_time
            if upload.is_complete and upload.verdict == PENDING:
                upload.verdict = verdict

    def ask(self, age: int) -> None:
        for upload in self.uploads[-1 - age :][:1]:
            self.answers.append((upload, upload.answer(), self.clock()))

    def hear(self, age: int) -> None:
        """Take in an answer, the latest or an older one, for the first time or again."""
        for upload, status, asked_at in self.answers[-1 - age :][:1]:
            state = apply_status(
                self.workspace, self.post_id, upload.publish_id, status, actor="status"
            )
            with self.workspace.ledger.read() as session:
                publication = publications.current(session, self.post_id)
            if (
                state is PostState.COMMITTING
                and publication is not None
                and publication.publish_id == upload.publish_id
                and proves_incomplete(
                    publication, status, asked_at=asked_at, longest_put_s=LONGEST_PUT_S
                )
            ):
                reopen(
                    self.workspace,
                    self.post_id,
                    upload.publish_id,
                    actor="status",
                    fencing_token=None,
                )

    # Time, the sweep and a person

    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    def sweep(self) -> None:
        return_stalled_uploads(self.workspace, actor="sweep")
        supersede_expired(self.workspace, actor="sweep")

    def interfere(self) -> None:
        """A person cancels the post and wants it after all."""
        for command in (commands.cancel, commands.retry):
            before = self.read().state
            try:
                command(self.workspace, self.post_id, actor="person")
            except REFUSALS:
                assert self.read().state is before

    # What always holds

    def check(self) -> None:
        post, _ = self.story.check(self.workspace, self.post_id)
        # TikTok has the post at most once, and the ledger calls nothing else done.
        verdicts = [upload.verdict for upload in self.uploads if upload.is_complete]
        assert len([verdict for verdict in verdicts if verdict != "FAILED"]) <= 1
        assert post.state not in DONE or "PUBLISH_COMPLETE" in verdicts
        assert self.tokens == sorted(set(self.tokens))

    def settle(self) -> None:
        """Ask TikTok about everything at last: the ledger knows then what is public."""
        for age in range(len(self.uploads)):
            self.ask(age)
            self.hear(0)
        published = any(upload.verdict == "PUBLISH_COMPLETE" for upload in self.uploads)
        assert published is (self.read().state in PUBLISHED)


#: What happens to a post; an age of 0 is the latest. Each event comes often enough that most orders
#: bring a post to its end; a second publication does so in one of twenty.
EVENTS: list[Callable[[OnePost], None]] = [
    *(partial(OnePost.upload, owner=owner, steps=n) for owner in "ab" for n in (2, 2, 3, 4)),
    *(partial(OnePost.receive, age=age, verdict=v) for age in (0, 1) for v in VERDICTS),
    *(partial(OnePost.ask, age=age) for age in (0, 0, 1)),
    *(partial(OnePost.hear, age=age) for age in (0, 0, 1, 3)),
    *(partial(OnePost.wait, minutes=minutes) for minutes in (3, 3, 70)),
    *(OnePost.sweep,) * 2,
    *(OnePost.interfere,) * 2,
]

#: The first uploader sleeps before its last byte, a person starts the post anew, another
#: uploader publishes it, and then the first one wakes with an upload URL that still lives.
SLEEPER: list[Callable[[OnePost], None]] = [
    partial(OnePost.upload, owner="a", steps=2),
    OnePost.interfere,
    partial(OnePost.upload, owner="b", steps=3),
    partial(OnePost.upload, owner="a", steps=1),
    partial(OnePost.receive, age=0, verdict="PUBLISH_COMPLETE"),
    partial(OnePost.receive, age=1, verdict="PUBLISH_COMPLETE"),
]
#: The first uploader's last byte is on its way while TikTok says that it lacks it: as long as the
#: upload URL lives, that proves nothing, and nobody begins anew.
ON_ITS_WAY: list[Callable[[OnePost], None]] = [
    partial(OnePost.upload, owner="a", steps=3),
    partial(OnePost.wait, minutes=3),
    partial(OnePost.ask, age=0),
    partial(OnePost.hear, age=0),
    partial(OnePost.upload, owner="b", steps=4),
    partial(OnePost.receive, age=1, verdict="PUBLISH_COMPLETE"),
    partial(OnePost.receive, age=0, verdict="PUBLISH_COMPLETE"),
]


@ON_BOTH_DATABASES
@example(events=SLEEPER)
@example(events=ON_ITS_WAY)
@given(events=st.permutations(EVENTS))
@settings(
    max_examples=ORDERS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_order_of_events_posts_twice_or_tells_two_stories(
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    clock: Clock,
    events: list[Callable[[OnePost], None]],
) -> None:
    one = OnePost(workspace, clock, make_post(account))
    for happen in events:
        happen(one)
        one.check()
    one.settle()
