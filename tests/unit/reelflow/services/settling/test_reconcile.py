"""Reconciling: what TikTok settles, what waits, what is told to a person; in any order at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.domain.post import PUBLISHED, TRANSITIONS, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import (
    AccountRevokedError,
    BudgetSpentError,
    ConfigurationError,
    IllegalTransitionError,
    ReelflowError,
    TikTokAuthError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.ledger import audit, posts, publications, webhook_events
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.calls.rounds import FAILED_ACCOUNTS_MAX
from reelflow.services.settling.reconcile import Reconciliation, reconcile
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering import cancelling, commands, resolving
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests import factories
from tests.factories import ACTOR, Clock, change_account, read_post
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID, AskedTikTok, video

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
LONGEST_PUT_S = 1090.0
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=(POST_ID,))
PULL = {"source": MediaSource.PULL_FROM_URL, "url_expires_at": None}


def settle(workspace: Workspace, tiktok: AskedTikTok) -> Reconciliation:
    return reconcile(workspace, tiktok, actor=ACTOR, longest_put_s=LONGEST_PUT_S)


def test_a_lost_init_is_told_to_a_person_and_once_only(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post = make_post(account, state=S.COMMITTING)
    make_publication(workspace, post, publish_id=None, **PULL)
    assert settle(workspace, tiktok).settled == {post.id: S.UNKNOWN}
    again = settle(workspace, tiktok)
    assert (again.settled, list(again.unsettled)) == ({}, [post.id])
    assert "its init was lost" in again.unsettled[post.id]
    assert tiktok.asked == []


def test_a_pull_that_an_upload_lease_holds_is_left_alone(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = make_post(account, state=S.COMMITTING, lease_until=clock() + SECOND)
    make_publication(workspace, post, publish_id=None, **PULL)
    assert settle(workspace, tiktok) == Reconciliation()
    assert read_post(workspace, post.id).state is S.COMMITTING


def test_by_hand_a_claimed_post_is_asked_about_and_an_upload_that_holds_one_is_told(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    claim = {"claimed_by": "run of yesterday", "claimed_until": clock() + HOUR}
    sent = make_post(account, state=S.PROCESSING, **claim)
    held = make_post(
        account, state=S.COMMITTING, lease_owner="run/7", lease_until=clock() + SECOND, **claim
    )
    tiktok.told(make_publication(workspace, sent, state=P.SENT), LINKED)
    make_publication(workspace, held, state=P.COMMITTING)
    assert settle(workspace, tiktok) == Reconciliation()
    by_hand = reconcile(
        workspace, tiktok, actor=ACTOR, longest_put_s=LONGEST_PUT_S, despite_claims=True
    )
    assert by_hand.settled == {sent.id: S.PUBLISHED}
    assert list(by_hand.left) == [held.id]
    assert by_hand.left[held.id].startswith("it is COMMITTING and run/7 uploads it until ")
    assert read_post(workspace, held.id).state is S.COMMITTING


def test_a_post_taken_over_while_tiktok_was_asked_is_left_to_its_new_holder(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = make_post(account, state=S.COMMITTING)
    tiktok.told(make_publication(workspace, post), TikTokRejectedError("no such publish_id"))
    clock.advance(100 * HOUR)

    def take_over() -> None:
        with workspace.ledger.write() as session:
            posts.take_lease(session, post.id, owner="u", now=clock(), lease=HOUR)

    tiktok.on_call = take_over
    assert list(settle(workspace, tiktok).unsettled) == [post.id]
    after = read_post(workspace, post.id)
    assert (after.state, after.lease_owner) == (S.COMMITTING, "u")


def test_a_pull_that_tiktok_works_on_is_processing(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    """It has been told everything, however many bytes it has fetched."""
    post = make_post(account, state=S.COMMITTING)
    publication = make_publication(workspace, post, publish_id="v_pub_url~v2.1", **PULL)
    tiktok.told(publication, PublishStatus("PROCESSING_DOWNLOAD"))
    assert settle(workspace, tiktok).settled == {post.id: S.PROCESSING}


def test_what_a_webhook_said_to_a_process_that_died_is_done_without_asking(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    post = make_post(account, state=S.PROCESSING)
    publication = make_publication(workspace, post)
    event = WebhookEvent(
        digest="d",
        event="post.publish.publicly_available",
        open_id=account.open_id,
        publish_id=publication.publish_id,
        tiktok_post_id=POST_ID,
        happened_at=clock(),
        received_at=clock(),
    )
    with workspace.ledger.write() as session:
        webhook_events.keep(session, event)
    settle(workspace, tiktok)
    assert read_post(workspace, post.id).state is S.PUBLISHED
    assert tiktok.asked == []


@pytest.mark.parametrize(
    ("trouble", "after"),
    [
        (TikTokRejectedError("no such publish_id"), S.UNKNOWN),
        (TikTokUnavailableError("HTTP 503"), S.UNKNOWN),
        (AccountRevokedError("connect it again", account="acme"), S.UNKNOWN),
        (TikTokAuthError("the token lacks a scope"), S.PROCESSING),
        (BudgetSpentError("30 status calls", retry_after_s=60), S.PROCESSING),
        (ConfigurationError("the Fernet key is another"), S.PROCESSING),
    ],
)
def test_only_silence_that_waiting_does_not_end_makes_a_post_unknown(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
    trouble: ReelflowError,
    after: PostState,
) -> None:
    post = make_post(account, state=S.PROCESSING)
    tiktok.told(make_publication(workspace, post), trouble)
    clock.advance(1000 * HOUR)
    settle(workspace, tiktok)
    assert read_post(workspace, post.id).state is after


def test_an_account_that_fails_for_good_keeps_no_other_from_being_asked(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
) -> None:
    failing = [
        make_publication(workspace, make_post(account, state=S.PROCESSING)) for _ in range(4)
    ]
    for one in failing:
        tiktok.told(one, TikTokUnavailableError("HTTP 500"))
    clock.advance(SECOND)
    other = make_post(make_account("other"), state=S.PROCESSING)
    tiktok.told(make_publication(workspace, other), LINKED)
    found = settle(workspace, tiktok)
    assert found.settled == {other.id: S.PUBLISHED}
    assert found.unsettled.keys() == {one.post_id for one in failing}
    assert len(tiktok.asked) == 2


def test_a_publication_that_tiktok_never_answers_about_lets_others_of_its_account_go_first(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    silent, told = (make_post(account, state=S.PROCESSING) for _ in range(2))
    tiktok.told(make_publication(workspace, silent), TikTokUnavailableError("HTTP 500"))
    tiktok.told(make_publication(workspace, told), LINKED)
    rounds = (settle(workspace, tiktok).settled for _ in range(60))  # which is asked first is drawn
    assert next(found for found in rounds if found) == {told.id: S.PUBLISHED}


def test_what_tiktok_never_answers_about_keeps_no_link_and_no_video_of_its_account_out(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    change_account(workspace, account.id, scopes="video.list")
    public = {"privacy_level": "PUBLIC_TO_EVERYONE"}
    silent = make_post(account, state=S.UNKNOWN, caption="Lake", **public)
    tiktok.told(make_publication(workspace, silent), TikTokUnavailableError("HTTP 500"))
    tiktok.videos[account.id] = [video("7678907398077074697", "Lake", clock())]
    linked = make_post(account, state=S.PUBLISHED_NO_LINK, caption="Forest", **public)
    tiktok.told(make_publication(workspace, linked), LINKED)
    assert settle(workspace, tiktok).settled == {silent.id: S.PUBLISHED, linked.id: S.PUBLISHED}


def test_in_an_outage_few_accounts_are_asked_for_statuses_and_for_videos(
    workspace: Workspace,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
) -> None:
    down = TikTokUnavailableError("HTTP 503")
    created = clock()
    for number in range(2 * FAILED_ACCOUNTS_MAX):
        one = make_account(f"acme-{number}")
        change_account(workspace, one.id, scopes="video.list")
        tiktok.list_error[one.id] = down
        for state in (S.PROCESSING, S.UNKNOWN, S.PUBLISHED_NO_LINK):
            post = make_post(one, state=state, privacy_level="PUBLIC_TO_EVERYONE", caption="Lake")
            tiktok.told(make_publication(workspace, post, created_at=created), down)
    settle(workspace, tiktok)
    # Of posts, of links, and of videos.
    assert len(tiktok.asked) == 2 * FAILED_ACCOUNTS_MAX
    assert len(tiktok.listed) == FAILED_ACCOUNTS_MAX


def test_a_post_that_was_not_asked_about_is_not_unknown_for_the_failure_of_another(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    for _ in range(2):
        publication = make_publication(workspace, make_post(account, state=S.PROCESSING))
        tiktok.told(publication, TikTokUnavailableError("HTTP 500"))
    clock.advance(1000 * HOUR)
    found = settle(workspace, tiktok)
    assert (list(found.settled.values()), len(found.unsettled)) == ([S.UNKNOWN], 1)


def test_an_account_without_budget_waits_and_gets_round_to_all_its_posts(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    tiktok: AskedTikTok,
    clock: Clock,
) -> None:
    mine = [make_publication(workspace, make_post(account, state=S.PROCESSING)) for _ in range(3)]
    other = make_publication(workspace, make_post(make_account("other"), state=S.PROCESSING))
    budget = itertools.count()

    def spend() -> None:
        account_id, publish_id = tiktok.asked[-1]
        if account_id == account.id and next(budget) % 3 == 2:  # two calls a round
            tiktok.says[publish_id] = BudgetSpentError("spent", retry_after_s=60)
        else:
            tiktok.says.pop(publish_id, None)

    tiktok.on_call = spend
    answered: set[int] = set()
    for _ in range(60):  # two of three are asked each time, whichever they are
        found = settle(workspace, tiktok).unsettled
        assert found[other.post_id] == "TikTok says PROCESSING_UPLOAD"
        waiting = {post_id for post_id, why in found.items() if why == "spent"}
        assert len(waiting) == 1
        answered |= {one.post_id for one in mine} - waiting
    assert answered == {one.post_id for one in mine}


def test_a_post_that_is_published_without_a_link_is_found_on_the_account_at_once(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    change_account(workspace, account.id, scopes="video.list")
    post = make_post(
        account, state=S.PROCESSING, caption="Lake", privacy_level="PUBLIC_TO_EVERYONE"
    )
    tiktok.told(make_publication(workspace, post), COMPLETE)
    tiktok.videos[account.id] = [video(POST_ID, "Lake", clock())]
    assert settle(workspace, tiktok) == Reconciliation(settled={post.id: S.PUBLISHED})


def test_videos_are_listed_once_an_hour_for_a_link_that_does_not_come(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    change_account(workspace, account.id, scopes="video.list")
    post = make_post(
        account, state=S.PUBLISHED_NO_LINK, caption="Lake", privacy_level="PUBLIC_TO_EVERYONE"
    )
    tiktok.told(make_publication(workspace, post), COMPLETE)
    for _ in range(3):
        settle(workspace, tiktok)
    assert (len(tiktok.asked), len(tiktok.listed)) == (1, 1)
    clock.advance(HOUR)
    tiktok.videos[account.id] = [video(POST_ID, "Lake", clock())]
    assert settle(workspace, tiktok).settled == {post.id: S.PUBLISHED}


def test_an_unknown_post_is_settled_by_its_video(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok, clock: Clock
) -> None:
    change_account(workspace, account.id, scopes="video.list")
    post = make_post(account, state=S.UNKNOWN, caption="Lake", privacy_level="PUBLIC_TO_EVERYONE")
    make_publication(workspace, post, publish_id=None, **PULL)
    tiktok.videos[account.id] = [video(POST_ID, "Lake", clock())]
    assert settle(workspace, tiktok) == Reconciliation(settled={post.id: S.PUBLISHED})


def test_what_is_settled_by_hand_or_by_reconciling_is_left_for_the_next_run_to_announce(
    workspace: Workspace, account: Account, make_post: MakePost, tiktok: AskedTikTok
) -> None:
    post, unknown = make_post(account, state=S.PROCESSING), make_post(account, state=S.UNKNOWN)
    tiktok.told(make_publication(workspace, post), LINKED)
    make_publication(workspace, unknown, publish_id=None, **PULL)
    settle(workspace, tiktok)
    resolving.resolve_published(workspace, unknown.id, actor=ACTOR)
    for one in (post, unknown):
        after = read_post(workspace, one.id)
        assert (after.announced_at, after.source_settled_at) == (None, None)


FAIL_REASONS = [None, "internal", "publish_cancelled", "auth_removed", "spam_risk"]
STATUSES = st.builds(
    PublishStatus,
    st.sampled_from(
        ["PROCESSING_UPLOAD", "PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED", "NEW_WORD"]
    ),
    fail_reason=st.sampled_from(FAIL_REASONS),
    post_ids=st.sampled_from([(), (POST_ID,)]),
    uploaded_bytes=st.sampled_from([None, 1, 10_000]),
)
COMMANDS: dict[str, Callable[..., object]] = {
    "release": commands.release,
    "cancel": commands.cancel,
    "retry": commands.retry,
    "published": resolving.resolve_published,
    "not published": resolving.resolve_not_published,
}
STEPS = st.one_of(
    st.tuples(st.just("status"), STATUSES, st.integers(0, 5)),
    st.tuples(st.just("person"), st.sampled_from(sorted(COMMANDS)), st.just(0)),
    st.tuples(st.just("cancel at TikTok"), STATUSES, st.just(0)),
    st.tuples(st.just("reconcile"), STATUSES, st.integers(0, 80)),
    st.tuples(st.just("init"), st.booleans(), st.just(0)),
)
#: A publication in one of these may publish, as far as anybody knows.
MAY_PUBLISH = frozenset({P.COMMITTING, P.SENT})


class OnePost:
    """One post of one account, and whoever speaks about it."""

    def __init__(
        self, workspace: Workspace, clock: Clock, account: Account, mode: PostMode
    ) -> None:
        self.workspace, self.clock, self.tiktok = workspace, clock, AskedTikTok()
        self.post_id = factories.make_post(workspace, account, mode=mode).id
        self.refusals: list[str] = []

    @property
    def post(self) -> Post:
        return read_post(self.workspace, self.post_id)

    def publications(self) -> list[Publication]:
        with self.workspace.ledger.read() as session:
            return list(publications.of_post(session, self.post_id))

    def take(self, step: tuple[str, object, int]) -> None:
        kind, what, number = step
        try:
            getattr(self, "_" + kind.replace(" ", "_").lower())(what, number)
        except (IllegalTransitionError, TikTokRejectedError) as exc:
            self.refusals.append(str(exc))

    def _status(self, status: PublishStatus, number: int) -> None:
        known = [one.publish_id for one in self.publications() if one.publish_id]
        if known:
            publish_id = known[number % len(known)]
            apply_status(self.workspace, self.post_id, publish_id, status, actor="webhook")

    def _person(self, command: str, _: int) -> None:
        COMMANDS[command](self.workspace, self.post_id, actor="person:ann")

    def _cancel_at_tiktok(self, status: PublishStatus, _: int) -> None:
        self._say(status)
        cancelling.ask_to_cancel(self.workspace, self.tiktok, self.post_id, actor="person:ann")

    def _reconcile(self, status: PublishStatus, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))
        self._say(status)
        settle(self.workspace, self.tiktok)

    def _say(self, status: PublishStatus) -> None:
        for one in self.publications():
            if one.publish_id:
                self.tiktok.says[one.publish_id] = status

    def _init(self, is_answered: bool, _: int) -> None:
        """What a run does with a due post: one more pull, which may be answered or not."""
        if self.post.state is not S.READY:
            return
        assert not [
            one for one in self.publications() if one.is_current and one.state in MAY_PUBLISH
        ]
        factories.change_post(self.workspace, self.post_id, state=S.COMMITTING)
        columns = {} if is_answered else {"publish_id": None}
        make_publication(
            self.workspace, self.post, source=MediaSource.PULL_FROM_URL, url_expires_at=None,
            **columns,
        )  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(mode=st.sampled_from(PostMode), steps=st.lists(STEPS, min_size=3, max_size=14))
def test_in_any_order_a_post_keeps_to_its_table_and_is_never_begun_while_one_may_publish(
    workspace: Workspace,
    account: Account,
    clock: Clock,
    mode: PostMode,
    steps: list[tuple[str, object, int]],
) -> None:
    factories.forget_posts(workspace)
    one = OnePost(workspace, clock, account, mode)
    before = one.post.state
    by_person = False
    for step in [("init", True, 0), *steps]:
        one.take(step)
        after = one.post.state
        by_person = by_person or (step[:2] == ("person", "not published") and after is not before)
        if before in PUBLISHED:
            assert after in PUBLISHED
        if before is S.PUBLISHED:
            assert after is S.PUBLISHED
        current = [each for each in one.publications() if each.is_current]
        assert len(current) <= 1
        if after in (S.READY, S.FAILED, S.CANCELLED) and not by_person:
            assert not [each for each in one.publications() if each.state in MAY_PUBLISH]
        before = after
    assert not [why for why in one.refusals if "cannot go from" in why]
    with workspace.ledger.read() as session:
        story = [row for row in audit.story(session, one.post_id) if row.from_state]
    for row in story:
        assert PostState(str(row.to_state)) in TRANSITIONS[PostState(str(row.from_state))]
