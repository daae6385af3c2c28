"""Webhooks in the ledger: once each, in any order, together with what status calls say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from reelflow.domain.chunks import plan_chunks
from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import LedgerLockedError
from reelflow.ledger import accounts, audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.pull_journal import PullJournal
from reelflow.services.settling.lost_init import adopt_publish_id
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.webhooks import (
    KEPT_FOR_STRANGERS,
    apply_overdue,
    apply_waiting,
    receive,
)
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import InitAnswer, PublishStatus
from reelflow.tiktok.webhooks import parse_webhook
from tests import factories
from tests.database_faults import impatient, locked_at
from tests.factories import ACTOR, Clock, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import UPLOAD_URL, make_publication

MakePost = Callable[..., Post]
S = PostState
POST_ID = "7678907398077074696"
COMPLETE = "post.publish.complete"
PUBLIC = "post.publish.publicly_available"
FAILED = "post.publish.failed"
DELIVERED = "post.publish.inbox_delivered"
NOT_PUBLIC = "post.publish.no_longer_publicaly_available"
REMOVED = "authorization.removed"


class TikTok:
    """Sends events as TikTok words them.

    :param open_id: the account that they are about, unless told otherwise
    """

    def __init__(self, workspace: Workspace, clock: Clock, open_id: str) -> None:
        self._workspace = workspace
        self._clock = clock
        self._open_id = open_id

    def send(
        self, event: str, *, open_id: str | None = None, at: Any = None, **content: Any
    ) -> None:
        envelope = {
            "client_key": "key",
            "event": event,
            "create_time": int((at or self._clock()).timestamp()),
            "user_openid": open_id or self._open_id,
            "content": json.dumps(content),
        }
        receive(self._workspace, parse_webhook(json.dumps(envelope).encode()))


@pytest.fixture
def tiktok(workspace: Workspace, clock: Clock, account: Account) -> TikTok:
    return TikTok(workspace, clock, account.open_id)


def kept(workspace: Workspace) -> Sequence[WebhookEvent]:
    with workspace.ledger.read() as session:
        return session.scalars(select(WebhookEvent).order_by(WebhookEvent.id)).all()


def current(workspace: Workspace, post_id: int) -> Publication:
    with workspace.ledger.read() as session:
        found = publications.current(session, post_id)
    assert found is not None
    return found


def story(workspace: Workspace, post_id: int) -> list[str]:
    with workspace.ledger.read() as session:
        return [f"{row.actor}: {row.why}" for row in audit.story(session, post_id)]


@pytest.mark.parametrize(
    ("state", "mode", "event", "content", "after"),
    [
        (S.PROCESSING, PostMode.DIRECT, COMPLETE, {}, S.PUBLISHED_NO_LINK),
        (S.PROCESSING, PostMode.DIRECT, PUBLIC, {"post_id": POST_ID}, S.PUBLISHED),
        (S.PUBLISHED_NO_LINK, PostMode.DIRECT, PUBLIC, {"post_id": int(POST_ID)}, S.PUBLISHED),
        (S.PROCESSING, PostMode.DIRECT, FAILED, {"reason": "spam_risk"}, S.FAILED),
        (S.PROCESSING, PostMode.DIRECT, FAILED, {"reason": "internal"}, S.READY),
        (S.PROCESSING, PostMode.DRAFT, DELIVERED, {}, S.IN_INBOX),
        (S.IN_INBOX, PostMode.DRAFT, COMPLETE, {}, S.PUBLISHED),
        (S.COMMITTING, PostMode.DIRECT, COMPLETE, {}, S.PUBLISHED_NO_LINK),
        (S.UNKNOWN, PostMode.DIRECT, COMPLETE, {}, S.PUBLISHED_NO_LINK),
        (S.PUBLISHED, PostMode.DIRECT, NOT_PUBLIC, {"post_id": POST_ID}, S.PUBLISHED),
        (S.PUBLISHED, PostMode.DIRECT, FAILED, {"reason": "internal"}, S.PUBLISHED),
        (S.UPLOADING, PostMode.DIRECT, FAILED, {"reason": "internal"}, S.UPLOADING),
        (S.PROCESSING, PostMode.DIRECT, "post.publish.of_tomorrow", {}, S.PROCESSING),
        (S.PROCESSING, PostMode.DIRECT, "video.upload.failed", {"share_id": "x"}, S.PROCESSING),
    ],
)
def test_an_event_moves_the_post_as_its_status_would(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: TikTok,
    state: PostState,
    mode: PostMode,
    event: str,
    content: dict[str, Any],
    after: PostState,
) -> None:
    post = make_post(account, state=state, mode=mode)
    publication = make_publication(workspace, post)
    tiktok.send(event, publish_id=publication.publish_id, **content)
    assert read_post(workspace, post.id).state is after
    (event_row,) = kept(workspace)
    assert event_row.applied_at is not None


@pytest.mark.parametrize("post_id", [POST_ID, int(POST_ID)])
def test_a_link_keeps_all_its_digits(
    workspace: Workspace, processing: Publication, tiktok: TikTok, post_id: object
) -> None:
    tiktok.send(PUBLIC, publish_id=processing.publish_id, post_id=post_id)
    assert current(workspace, processing.post_id).tiktok_post_id == POST_ID


def test_a_draft_that_was_posted_again_keeps_its_latest_link_though_the_first_comes_late(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok, clock: Clock
) -> None:
    post = make_post(account, state=S.IN_INBOX, mode=PostMode.DRAFT)
    publish_id = make_publication(workspace, post).publish_id
    first_at, second_at = clock(), clock() + timedelta(minutes=5)
    tiktok.send(PUBLIC, publish_id=publish_id, post_id="7678907398077074697", at=second_at)
    tiktok.send(PUBLIC, publish_id=publish_id, post_id=POST_ID, at=first_at)
    tiktok.send(DELIVERED, publish_id=publish_id, at=first_at)
    publication = current(workspace, post.id)
    assert publication.tiktok_post_id == "7678907398077074697"
    assert publication.tiktok_status == "PUBLISH_COMPLETE"
    outcomes = [event.outcome or "" for event in kept(workspace)]
    assert outcomes[1].endswith("TikTok has named a later post of it")


@ON_BOTH_DATABASES
def test_the_same_event_is_kept_once_and_done_once(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok
) -> None:
    post = make_post(account, state=S.PUBLISHED)
    publication = make_publication(workspace, post)
    for _ in range(3):
        tiktok.send(NOT_PUBLIC, publish_id=publication.publish_id, post_id=POST_ID)
    assert len(kept(workspace)) == 1
    note = "webhook: TikTok says that the post is not public any more"
    assert story(workspace, post.id).count(note) == 1


def test_an_event_that_was_kept_and_not_done_is_done_when_it_comes_again(
    workspace: Workspace, processing: Publication, tiktok: TikTok
) -> None:
    # The first write keeps the event.
    with locked_at(workspace, "BEGIN IMMEDIATE", nth=2), pytest.raises(LedgerLockedError):
        tiktok.send(COMPLETE, publish_id=processing.publish_id)
    assert [event.applied_at for event in kept(workspace)] == [None]
    tiktok.send(COMPLETE, publish_id=processing.publish_id)
    assert read_post(workspace, processing.post_id).state is S.PUBLISHED_NO_LINK
    assert len(kept(workspace)) == 1


@pytest.mark.parametrize("event", [COMPLETE, PUBLIC, FAILED, DELIVERED, NOT_PUBLIC])
def test_someone_elses_publish_id_changes_nothing(
    workspace: Workspace,
    make_account: Callable[..., Account],
    processing: Publication,
    tiktok: TikTok,
    caplog: pytest.LogCaptureFixture,
    event: str,
) -> None:
    before = story(workspace, processing.post_id)
    for open_id in (make_account("other").open_id, "nobody"):
        tiktok.send(
            event, open_id=open_id, publish_id=processing.publish_id, reason="r", post_id=POST_ID
        )
        assert f"a webhook for {open_id} names a publication of another account" in caplog.text
    assert read_post(workspace, processing.post_id).state is S.PROCESSING
    assert story(workspace, processing.post_id) == before
    after = current(workspace, processing.post_id)
    assert (after.tiktok_post_id, after.tiktok_status) == (None, None)


@pytest.mark.parametrize("publish_id", [None, "p" * 65, "p" * 128])
def test_an_event_without_a_publish_id_of_ours_is_kept_and_left(
    workspace: Workspace, tiktok: TikTok, publish_id: str | None
) -> None:
    tiktok.send(COMPLETE, publish_id=publish_id)
    tiktok.send("e" * 128, publish_id=publish_id)
    assert [event.outcome for event in kept(workspace)] == [
        "it names no publication",
        "events of this kind change nothing here",
    ]


@ON_BOTH_DATABASES
def test_events_wait_for_their_publication_and_are_done_in_tiktoks_order(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok, clock: Clock
) -> None:
    later = clock() + timedelta(seconds=5)
    tiktok.send(PUBLIC, publish_id="p1", post_id=POST_ID, at=later)
    tiktok.send(COMPLETE, publish_id="p1")
    tiktok.send(COMPLETE, publish_id="p2")
    assert [event.applied_at for event in kept(workspace)] == [None, None, None]
    post = make_post(account, state=S.PROCESSING)
    make_publication(workspace, post, publish_id="p1")
    apply_waiting(workspace, "p1", actor=ACTOR)
    assert read_post(workspace, post.id).state is S.PUBLISHED
    steps = [line for line in story(workspace, post.id) if "TikTok published it" in line]
    assert "only public posts get a link" in steps[0]
    assert POST_ID in steps[-1]
    assert [event.applied_at is None for event in kept(workspace)] == [False, False, True]


@ON_BOTH_DATABASES
def test_events_left_by_a_process_that_died_are_done_by_the_next_reconciliation(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok
) -> None:
    tiktok.send(PUBLIC, publish_id="p1", post_id=POST_ID)
    tiktok.send(COMPLETE, publish_id="p2")
    post = make_post(account, state=S.UPLOADING)
    make_publication(workspace, post, publish_id="p1")
    apply_overdue(workspace, actor=ACTOR)
    assert read_post(workspace, post.id).state is S.PUBLISHED
    assert [event.applied_at is None for event in kept(workspace)] == [False, True]


@ON_BOTH_DATABASES
def test_old_events_of_somebody_elses_publications_are_forgotten(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok, clock: Clock
) -> None:
    make_publication(workspace, make_post(account, state=S.PROCESSING), publish_id="ours")
    for publish_id in ("ours", "theirs"):
        tiktok.send(COMPLETE, publish_id=publish_id)
    clock.advance(KEPT_FOR_STRANGERS)
    tiktok.send(COMPLETE, publish_id="theirs-of-today")
    apply_overdue(workspace, actor=ACTOR)
    assert [event.publish_id for event in kept(workspace)] == ["ours", "theirs", "theirs-of-today"]
    clock.advance(timedelta(seconds=1))
    apply_overdue(workspace, actor=ACTOR)
    assert [event.publish_id for event in kept(workspace)] == ["ours", "theirs-of-today"]


def test_waiting_events_never_stop_who_writes_the_publication_down(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: TikTok,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tiktok.send(COMPLETE, publish_id="p1")
    make_publication(workspace, make_post(account, state=S.PROCESSING), publish_id="p1")
    with workspace.ledger.write():
        apply_waiting(impatient(workspace), "p1", actor=ACTOR)
    assert "webhooks about p1 are left to status calls: the ledger " in caplog.text


def test_an_event_that_overtakes_the_answer_of_an_init_is_done_with_that_answer(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok
) -> None:
    post = make_post(account, state=S.UPLOADING, fencing_token=1)
    journal = PullJournal(workspace, post.id, actor=ACTOR, fencing_token=1)
    journal.begin_pull(post.media.size_bytes)
    tiktok.send(COMPLETE, publish_id="p1")
    assert read_post(workspace, post.id).state is S.COMMITTING
    journal.pulled(InitAnswer("p1", None))
    assert read_post(workspace, post.id).state is S.PUBLISHED_NO_LINK
    assert kept(workspace)[0].outcome == f"post {post.id} is PUBLISHED_NO_LINK"


def test_the_failure_of_an_upload_that_was_just_opened_does_not_stop_it(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok
) -> None:
    post = make_post(account, state=S.UPLOADING, fencing_token=1)
    journal = UploadJournal(workspace, post.id, actor=ACTOR, fencing_token=1)
    journal.begin_publication(plan_chunks(post.media.size_bytes))
    tiktok.send(FAILED, publish_id="p1", reason="internal")
    journal.opened(InitAnswer("p1", UPLOAD_URL), lifetime=timedelta(hours=1))
    assert read_post(workspace, post.id).state is S.UPLOADING
    assert current(workspace, post.id).fail_reason == "internal"
    assert kept(workspace)[0].applied_at is not None


def test_an_event_tells_of_the_init_whose_answer_was_lost_and_settles_its_post(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    make_publication(workspace, post, publish_id=None, source=MediaSource.PULL_FROM_URL)
    publish_id = "v_pub_url~v2-1.1"
    tiktok.send(COMPLETE, publish_id=publish_id)
    tiktok.send(PUBLIC, publish_id=publish_id, post_id=POST_ID)
    assert adopt_publish_id(workspace, post.id, actor=ACTOR) == publish_id
    assert read_post(workspace, post.id).state is S.PUBLISHED
    assert current(workspace, post.id).tiktok_post_id == POST_ID


@pytest.mark.parametrize("reason", [0, 1, 2, 3, 4, 5, None, 99])
def test_a_removed_authorization_revokes_the_account_and_holds_its_posts(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: TikTok,
    clock: Clock,
    reason: int | None,
) -> None:
    post = make_post(account)
    clock.advance(timedelta(hours=1))
    tiktok.send(REMOVED, reason=reason)
    with workspace.ledger.read() as session:
        after = accounts.get(session, account.id)
    assert after.revoked
    sentence = {1: "the creator disconnected the app", 4: "TikTok banned the account"}
    assert sentence.get(reason or 0, "TikTok ended it") in str(after.revoked_because)
    held = read_post(workspace, post.id)
    assert (held.state, held.reason_code) == (S.HELD, "account_revoked")


def test_an_old_removal_does_not_revoke_an_account_that_was_connected_since(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: TikTok, clock: Clock
) -> None:
    removed_at = clock.advance(timedelta(hours=1))
    clock.advance(timedelta(seconds=1))
    factories.make_account(workspace, "acme")  # connected again
    post = make_post(account)
    tiktok.send(REMOVED, reason=1, at=removed_at)
    with workspace.ledger.read() as session:
        assert not accounts.get(session, account.id).revoked
    assert read_post(workspace, post.id).state is S.READY
    assert kept(workspace)[0].outcome == "account acme was given other tokens since"


def test_a_removal_of_an_account_that_is_not_here_is_left(
    workspace: Workspace, tiktok: TikTok
) -> None:
    tiktok.send(REMOVED, open_id="nobody", reason=1)
    assert kept(workspace)[0].outcome == "no account here is nobody"


def test_what_the_ledger_forbids_is_told_and_not_asked_for_again(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: TikTok,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = make_post(account, state=S.PROCESSING)
    publication = make_publication(workspace, post, state=PublicationState.SUPERSEDED)
    tiktok.send(FAILED, publish_id=publication.publish_id, reason="spam_risk")
    assert "changed nothing" in str(kept(workspace)[0].outcome)
    assert "a publication cannot go from SUPERSEDED to FAILED" in caplog.text
    assert read_post(workspace, post.id).state is S.PROCESSING


# Polls and webhooks together. What TikTok can say of one publication, in the order in which it
# becomes true: each is told by a status, by an event, by both, late, early, and more than once.
Word = tuple[str, PublishStatus]  # an event's kind, empty where there is none, and the status

SILENT: Word = ("", PublishStatus("PROCESSING_UPLOAD"))
IS_COMPLETE: Word = (COMPLETE, PublishStatus("PUBLISH_COMPLETE"))
IS_PUBLIC: Word = (PUBLIC, PublishStatus("PUBLISH_COMPLETE", post_ids=(POST_ID,)))
IS_DELIVERED: Word = (DELIVERED, PublishStatus("SEND_TO_USER_INBOX"))
IS_FAILED: Word = (FAILED, PublishStatus("FAILED", fail_reason="frame_rate_check_failed"))
IS_BROKEN: Word = (FAILED, PublishStatus("FAILED", fail_reason="internal"))

STORIES: list[tuple[PostMode, list[Word], PostState]] = [
    (PostMode.DIRECT, [SILENT, IS_COMPLETE], S.PUBLISHED_NO_LINK),
    (PostMode.DIRECT, [SILENT, IS_COMPLETE, IS_PUBLIC], S.PUBLISHED),
    (PostMode.DIRECT, [SILENT, IS_FAILED], S.FAILED),
    (PostMode.DIRECT, [SILENT, IS_BROKEN], S.READY),
    (PostMode.DRAFT, [SILENT, IS_DELIVERED], S.IN_INBOX),
    (PostMode.DRAFT, [SILENT, IS_DELIVERED, IS_COMPLETE, IS_PUBLIC], S.PUBLISHED),
]
AFTER_LAST_BYTE = [S.COMMITTING, S.PROCESSING, S.UNKNOWN]


def tell(workspace: Workspace, tiktok: TikTok, publish_id: str, post_id: int, word: Word) -> None:
    """Say a word by an event, where it has one that is wished, or by a status."""
    event, status = word
    if event:
        content: dict[str, Any] = {"publish_id": publish_id}
        if status.post_ids:
            content["post_id"] = status.post_ids[0]
        if status.fail_reason:
            content["reason"] = status.fail_reason
        tiktok.send(event, **content)
    else:
        apply_status(workspace, post_id, publish_id, status, actor=ACTOR)


def spoken(words: Sequence[Word]) -> list[Word]:
    """Return each word as a status and, where there is one, as an event."""
    return [("", status) for _, status in words] + [word for word in words if word[0]]


def clean(workspace: Workspace) -> None:
    with workspace.ledger.write() as session:
        session.execute(delete(WebhookEvent))
    factories.forget_posts(workspace)


_examples = itertools.count(1)


@pytest.mark.parametrize("start", AFTER_LAST_BYTE)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_polls_and_webhooks_in_any_order_and_number_end_alike(
    workspace: Workspace,
    account: Account,
    tiktok: TikTok,
    start: PostState,
    data: st.DataObject,
) -> None:
    clean(workspace)
    mode, words, end = data.draw(st.sampled_from(STORIES))
    ways = spoken(words)
    # Each word is told at least once, by whichever way, and then whatever else there is.
    told = [
        data.draw(st.sampled_from([way for way in ways if way[1] == said])) for _, said in words
    ]
    told += data.draw(st.lists(st.sampled_from(ways), max_size=6))
    told = data.draw(st.permutations(told))
    post = factories.make_post(workspace, account, state=start, mode=mode)
    publish_id = f"p{next(_examples)}"
    make_publication(workspace, post, publish_id=publish_id)
    for word in told:
        tell(workspace, tiktok, publish_id, post.id, word)
    after = read_post(workspace, post.id)
    if start is S.UNKNOWN and end is S.READY:
        end = S.FAILED  # no machine posts an UNKNOWN post again
    assert after.state is end
    with workspace.ledger.read() as session:
        (publication,) = publications.of_post(session, post.id)
    has_link = IS_PUBLIC in words
    assert publication.tiktok_post_id == (POST_ID if has_link else None)
    assert publication.state is (
        PublicationState.FAILED if end in (S.FAILED, S.READY) else PublicationState.DONE
    )


#: Where a post with a publication before its last byte can be.
BEFORE_LAST_BYTE = [S.UPLOADING, S.READY, S.HELD]
ANY_WORD = spoken([SILENT, IS_COMPLETE, IS_PUBLIC, IS_DELIVERED, IS_FAILED, IS_BROKEN])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from([*BEFORE_LAST_BYTE, *AFTER_LAST_BYTE, S.IN_INBOX, S.PUBLISHED_NO_LINK]),
    told=st.lists(st.sampled_from(ANY_WORD), min_size=1, max_size=8),
)
def test_what_tiktok_once_called_published_stays_so_whatever_else_it_says(
    workspace: Workspace,
    account: Account,
    tiktok: TikTok,
    start: PostState,
    told: list[Word],
) -> None:
    clean(workspace)
    mode = PostMode.DRAFT if start is S.IN_INBOX else PostMode.DIRECT
    if mode is PostMode.DIRECT:  # these go to nobody's inbox
        told = [word for word in told if word[1] != IS_DELIVERED[1]]
    post = factories.make_post(workspace, account, state=start, mode=mode, fencing_token=3)
    publish_id = f"p{next(_examples)}"

    make_publication(workspace, post, publish_id=publish_id)
    published = start is S.PUBLISHED_NO_LINK
    for word in told:
        tell(workspace, tiktok, publish_id, post.id, word)
        published |= word[1].status == "PUBLISH_COMPLETE"
        state = read_post(workspace, post.id).state
        assert (state in {S.PUBLISHED, S.PUBLISHED_NO_LINK}) is published
        if start in BEFORE_LAST_BYTE and not published:
            assert state is start  # nothing that can be sent on is broken
            assert read_post(workspace, post.id).fencing_token == 3


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_upload_among_events_of_its_failure_is_failed_once_its_bytes_are_there(
    workspace: Workspace, account: Account, tiktok: TikTok, data: st.DataObject
) -> None:
    clean(workspace)
    post = factories.make_post(workspace, account, state=S.UPLOADING, fencing_token=1)
    publish_id = f"p{next(_examples)}"
    make_publication(workspace, post, publish_id=publish_id)
    journal = UploadJournal(workspace, post.id, actor=ACTOR, fencing_token=1)
    silence: list[Word] = [SILENT, IS_FAILED]
    sent = partial(journal.sent, post.media.size_bytes)
    steps: list[Callable[[], None] | None] = [journal.commit, sent]
    for step in [*steps, None]:
        for word in data.draw(st.lists(st.sampled_from(spoken(silence)), max_size=2)):
            tell(workspace, tiktok, publish_id, post.id, word)
        if step is not None and read_post(workspace, post.id).state is not S.FAILED:
            step()
    apply_status(workspace, post.id, publish_id, IS_FAILED[1], actor="the poller")
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code) == (S.FAILED, "frame_rate_check_failed")
    with workspace.ledger.read() as session:
        assert len(publications.of_post(session, post.id)) == 1
