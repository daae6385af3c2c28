"""Pulls whose init was not answered: adopted when only one thing can be true, else a person's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.settling.lost_init import adopt_publish_id, give_up_lost_init
from reelflow.services.steering.resolving import resolve_not_published
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import ACTOR, Clock, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
PULL = MediaSource.PULL_FROM_URL
PULLED = "v_pub_url~v2-1.7678907398077074696"
COMPLETE, FAILED = "post.publish.complete", "post.publish.failed"
PUBLIC = "post.publish.publicly_available"
_digests = itertools.count()


def lose(workspace: Workspace, post: Post, **columns: Any) -> Publication:
    """Begin a pull of a post whose answer never came."""
    return make_publication(
        workspace, post, **{"publish_id": None, "source": PULL, "url_expires_at": None, **columns}
    )


def hear(
    workspace: Workspace,
    publish_id: str,
    *,
    at: datetime | None = None,
    open_id: str = "open-acme",
    event: str = COMPLETE,
) -> None:
    """Keep an event as the webhook receiver does before it knows the publication."""
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        session.add(
            WebhookEvent(
                digest=f"{next(_digests):064}",
                event=event,
                open_id=open_id,
                publish_id=publish_id,
                reason="spam_risk" if event == FAILED else None,
                happened_at=(at or now).replace(microsecond=0),
                received_at=now,
            )
        )


def adopt(workspace: Workspace, post: Post) -> str | None:
    return adopt_publish_id(workspace, post.id, actor=ACTOR)


@pytest.mark.parametrize("state", [S.COMMITTING, S.UNKNOWN])
@pytest.mark.parametrize(("event", "after"), [(COMPLETE, S.PUBLISHED_NO_LINK), (FAILED, S.FAILED)])
def test_the_one_lost_pull_is_the_one_that_tiktok_spoke_of(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    event: str,
    after: PostState,
) -> None:
    post = make_post(account, state=state)
    lose(workspace, post)
    hear(workspace, PULLED, event=event)
    assert adopt(workspace, post) == PULLED
    assert read_post(workspace, post.id).state is after
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
        story = [row.why for row in audit.story(session, post.id)]
    assert current is not None
    assert current.publish_id == PULLED
    assert any("TikTok spoke of" in why for why in story)
    assert adopt(workspace, post) == PULLED  # the same again says nothing new


@pytest.mark.parametrize(
    ("kind", "mode", "publish_id"),
    [
        (PostKind.VIDEO, PostMode.DRAFT, "v_inbox_url~v2.1"),
        (PostKind.PHOTO, PostMode.DIRECT, "p_pub_url~v2.1"),
        (PostKind.PHOTO, PostMode.DRAFT, "p_inbox_url~v2.1"),
    ],
)
def test_the_id_must_be_of_the_posts_kind_and_mode(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    kind: PostKind,
    mode: PostMode,
    publish_id: str,
) -> None:
    post = make_post(account, state=S.UNKNOWN, kind=kind, mode=mode)
    lose(workspace, post)
    hear(workspace, PULLED)
    assert adopt(workspace, post) is None
    hear(workspace, publish_id)
    assert adopt(workspace, post) == publish_id


@pytest.mark.parametrize(
    "publish_id", ["v_pub_file~v2-1.1", "v_inbox_file~v2.1", "a_form_of_tomorrow", "v_pub_urls"]
)
def test_what_may_be_an_uploads_lost_init_is_adopted_by_no_pull(
    workspace: Workspace, account: Account, make_post: MakePost, publish_id: str
) -> None:
    """TikTok fails an upload that got no byte, and that failure must not end another post."""
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    hear(workspace, publish_id, event=FAILED)
    assert adopt(workspace, post) is None
    assert read_post(workspace, post.id).state is S.UNKNOWN


def test_of_two_tasks_that_tiktok_spoke_of_none_is_adopted(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    for number in (1, 2):
        hear(workspace, f"v_pub_url~v2.{number}")
    assert adopt(workspace, post) is None


@pytest.mark.parametrize(
    ("state", "rival"),
    [
        (S.COMMITTING, P.COMMITTING),  # its answer may be on its way
        (S.UNKNOWN, P.COMMITTING),
        (S.PUBLISHED_NO_LINK, P.DONE),  # a person settled it
        (S.FAILED, P.FAILED),
    ],
)
def test_a_task_is_not_adopted_while_another_lost_pull_may_be_it(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    rival: PublicationState,
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    lose(workspace, make_post(account, state=state), state=rival)
    hear(workspace, PULLED)
    assert adopt(workspace, post) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"state": P.SUPERSEDED, "is_current": False},  # TikTok refused it
        {"publish_id": "v_pub_url~v2-1.1"},
        {"source": MediaSource.FILE_UPLOAD},
    ],
)
def test_pulls_that_were_refused_or_answered_and_uploads_are_no_rivals(
    workspace: Workspace, account: Account, make_post: MakePost, columns: dict[str, Any]
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    lose(workspace, make_post(account, state=S.COMMITTING), **columns)
    hear(workspace, PULLED)
    assert adopt(workspace, post) == PULLED


def test_other_accounts_and_other_kinds_are_no_rivals(
    workspace: Workspace, account: Account, make_account: Callable[..., Account],
    make_post: MakePost,
) -> None:  # fmt: skip
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    lose(workspace, make_post(make_account("other"), state=S.UNKNOWN))
    lose(workspace, make_post(account, state=S.UNKNOWN, kind=PostKind.PHOTO))
    hear(workspace, "v_pub_url~v2.9", open_id="open-other")
    assert adopt(workspace, post) is None
    hear(workspace, PULLED)
    assert adopt(workspace, post) == PULLED


def test_an_old_lost_pull_of_which_tiktok_would_have_spoken_is_no_rival(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    lose(workspace, make_post(account, state=S.UNKNOWN))
    clock.advance(73 * HOUR)
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    hear(workspace, PULLED)
    assert adopt(workspace, post) == PULLED


@pytest.mark.parametrize("late", [PUBLIC, COMPLETE])
def test_a_task_of_which_tiktok_spoke_before_is_an_older_ones(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, late: str
) -> None:
    hear(workspace, PULLED)
    clock.advance(HOUR)
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    hear(workspace, PULLED, event=late)
    assert adopt(workspace, post) is None


def test_that_a_post_became_public_alone_tells_of_no_init(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """It may be said of a post that a person settled long ago and its creator shows to all now."""
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    hear(workspace, PULLED, event=PUBLIC)
    assert adopt(workspace, post) is None


def test_the_whole_seconds_of_tiktoks_clock_do_not_make_it_earlier(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    clock.set(clock().replace(microsecond=999_999))
    post = make_post(account, state=S.UNKNOWN)
    lose(workspace, post)
    hear(workspace, PULLED)
    assert adopt(workspace, post) == PULLED


def test_who_holds_the_post_gets_its_answer_first(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=S.COMMITTING, lease_until=clock() + SECOND)
    lose(workspace, post)
    hear(workspace, PULLED)
    assert adopt(workspace, post) is None
    assert give_up_lost_init(workspace, post.id, actor=ACTOR) is S.COMMITTING
    clock.advance(SECOND)
    assert adopt(workspace, post) == PULLED


def test_a_lost_pull_that_nobody_holds_is_for_a_person(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.COMMITTING)
    lose(workspace, post)
    assert give_up_lost_init(workspace, post.id, actor=ACTOR) is S.UNKNOWN
    after = read_post(workspace, post.id)
    assert after.reason_code == "init_answer_lost"
    assert f"reelflow posts resolve {post.id} --published" in str(after.fix)
    assert "on acme" in str(after.fix)


def test_a_person_learns_from_when_on_a_lost_pull_may_be_told_to_be_missing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    clock.set(datetime(2026, 11, 21, 12, 30, 15, tzinfo=UTC))
    post = make_post(account, state=S.COMMITTING)
    lose(workspace, post)
    give_up_lost_init(workspace, post.id, actor=ACTOR)
    told = "if it is not there after 2026-11-21 14:31 UTC, `--not-published`"
    assert told in str(read_post(workspace, post.id).fix)
    clock.set(datetime(2026, 11, 21, 14, 30, 14, tzinfo=UTC))
    with pytest.raises(IllegalTransitionError, match="after 2026-11-21 14:31 UTC, tell then"):
        resolve_not_published(workspace, post.id, actor=ACTOR)
    clock.set(datetime(2026, 11, 21, 14, 31, tzinfo=UTC))
    assert resolve_not_published(workspace, post.id, actor=ACTOR).state is S.FAILED


def test_of_a_lost_draft_a_person_looks_into_the_inbox(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.COMMITTING, mode=PostMode.DRAFT)
    lose(workspace, post)
    give_up_lost_init(workspace, post.id, actor=ACTOR)
    assert "in the inbox of acme" in str(read_post(workspace, post.id).fix)


@pytest.mark.parametrize("state", [S.PROCESSING, S.PUBLISHED, S.UNKNOWN, S.READY])
def test_only_a_committing_post_is_given_up(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    lose(workspace, post)
    assert give_up_lost_init(workspace, post.id, actor=ACTOR) is state


def test_an_answered_pull_is_not_given_up(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.COMMITTING)
    lose(workspace, post, publish_id=PULLED)
    assert give_up_lost_init(workspace, post.id, actor=ACTOR) is S.COMMITTING


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
@given(
    opened=st.lists(st.booleans(), min_size=1, max_size=3),
    reported=st.sets(st.integers(0, 2)),
    order=st.permutations(range(3)),
)
def test_no_post_ever_adopts_what_was_another_posts(
    workspace: Workspace,
    account: Account,
    opened: list[bool],
    reported: set[int],
    order: list[int],
) -> None:
    """Lost pulls, some of which TikTok opened, some of those reported by a webhook."""
    factories.forget_posts(workspace)
    posts = [factories.make_post(workspace, account, state=S.UNKNOWN) for _ in opened]
    begun = next(_digests)
    truth = {post.id: f"v_pub_url~v2.{begun}{number}" for number, post in enumerate(posts)}
    for post in posts:
        lose(workspace, post)
    for number in order:
        if number in reported and number < len(posts) and opened[number]:
            hear(workspace, truth[posts[number].id])
    for post in posts:
        assert adopt(workspace, post) in (None, truth[post.id])
