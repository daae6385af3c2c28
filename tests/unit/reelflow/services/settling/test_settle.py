"""What TikTok's word does to a post: every status, in any order, said any number of times."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from reelflow.domain.post import PAST_LAST_BYTE, TRANSITIONS, PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import PostNotFoundError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.platform_models import PlatformFailure
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests import factories
from tests.database_faults import locked_at
from tests.factories import ACTOR, read_post
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
S = PostState
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=("7678907398077074696",))
DELIVERED = PublishStatus("SEND_TO_USER_INBOX")
FAILED = PublishStatus("FAILED", fail_reason="frame_rate_check_failed")
SILENT = PublishStatus("PROCESSING_UPLOAD")
UNHEARD_OF = PublishStatus("WAITING_FOR_MODERATION")
LONGEST_PUT_S = 1090.0


def say(workspace: Workspace, publication: Publication, status: PublishStatus) -> PostState:
    assert publication.publish_id is not None
    return apply_status(workspace, publication.post_id, publication.publish_id, status, actor=ACTOR)


def holds(publication: Publication, difference: int = 0) -> PublishStatus:
    return PublishStatus("PROCESSING_UPLOAD", uploaded_bytes=publication.size_bytes + difference)


@pytest.mark.parametrize(
    ("state", "mode", "status", "after"),
    [
        (S.COMMITTING, PostMode.DIRECT, LINKED, S.PUBLISHED),
        (S.COMMITTING, PostMode.DIRECT, COMPLETE, S.PUBLISHED_NO_LINK),
        (S.COMMITTING, PostMode.DRAFT, DELIVERED, S.IN_INBOX),
        (S.COMMITTING, PostMode.DIRECT, FAILED, S.FAILED),
        (S.COMMITTING, PostMode.DIRECT, SILENT, S.COMMITTING),
        (S.COMMITTING, PostMode.DIRECT, UNHEARD_OF, S.COMMITTING),
        (S.PROCESSING, PostMode.DIRECT, LINKED, S.PUBLISHED),
        (S.PROCESSING, PostMode.DIRECT, COMPLETE, S.PUBLISHED_NO_LINK),
        (S.PROCESSING, PostMode.DRAFT, DELIVERED, S.IN_INBOX),
        (S.PROCESSING, PostMode.DRAFT, COMPLETE, S.PUBLISHED),
        (S.PROCESSING, PostMode.DIRECT, FAILED, S.FAILED),
        (S.PROCESSING, PostMode.DIRECT, SILENT, S.PROCESSING),
        (S.PROCESSING, PostMode.DIRECT, UNHEARD_OF, S.PROCESSING),
        (S.PUBLISHED_NO_LINK, PostMode.DIRECT, LINKED, S.PUBLISHED),
        (S.PUBLISHED_NO_LINK, PostMode.DIRECT, FAILED, S.PUBLISHED_NO_LINK),
        (S.IN_INBOX, PostMode.DRAFT, COMPLETE, S.PUBLISHED),
        (S.IN_INBOX, PostMode.DRAFT, FAILED, S.IN_INBOX),
        (S.PUBLISHED, PostMode.DIRECT, FAILED, S.PUBLISHED),
        (S.PUBLISHED, PostMode.DIRECT, COMPLETE, S.PUBLISHED),
        (S.UNKNOWN, PostMode.DIRECT, LINKED, S.PUBLISHED),
        (S.UNKNOWN, PostMode.DIRECT, FAILED, S.FAILED),
        (S.UNKNOWN, PostMode.DIRECT, SILENT, S.UNKNOWN),
        (S.UPLOADING, PostMode.DIRECT, FAILED, S.UPLOADING),
        (S.READY, PostMode.DIRECT, FAILED, S.READY),
    ],
)
def test_a_status_moves_the_post_as_far_as_it_proves(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    mode: PostMode,
    status: PublishStatus,
    after: PostState,
) -> None:
    post = make_post(account, state=state, mode=mode)
    publication = make_publication(workspace, post)
    assert say(workspace, publication, status) is after
    assert read_post(workspace, post.id).state is after


@pytest.mark.parametrize(("difference", "after"), [(-1, S.COMMITTING), (0, S.PROCESSING)])
def test_a_committing_post_is_processing_once_tiktok_says_that_it_has_every_byte(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    difference: int,
    after: PostState,
) -> None:
    post = make_post(account, state=S.COMMITTING)
    publication = make_publication(workspace, post)
    assert say(workspace, publication, holds(publication, difference)) is after


def test_a_link_is_kept_with_all_its_digits_whatever_is_said_later(
    workspace: Workspace, processing: Publication
) -> None:
    for status in (LINKED, COMPLETE, SILENT):
        say(workspace, processing, status)
    with workspace.ledger.read() as session:
        current = publications.current(session, processing.post_id)
    assert current is not None
    assert current.tiktok_post_id == "7678907398077074696"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((LINKED, DELIVERED), ("PUBLISH_COMPLETE", None)),
        ((COMPLETE, SILENT), ("PUBLISH_COMPLETE", None)),
        ((COMPLETE, UNHEARD_OF), ("PUBLISH_COMPLETE", None)),
        ((DELIVERED, SILENT), ("SEND_TO_USER_INBOX", None)),
        ((FAILED, SILENT), ("FAILED", "frame_rate_check_failed")),
        ((DELIVERED, COMPLETE), ("PUBLISH_COMPLETE", None)),
        ((SILENT, UNHEARD_OF), ("WAITING_FOR_MODERATION", None)),
        ((SILENT, FAILED, COMPLETE), ("PUBLISH_COMPLETE", None)),
        ((COMPLETE, FAILED), ("PUBLISH_COMPLETE", None)),
        ((FAILED, LINKED, FAILED), ("PUBLISH_COMPLETE", None)),
    ],
)
def test_what_tiktok_said_late_does_not_hide_that_it_is_done(
    workspace: Workspace,
    processing: Publication,
    said: tuple[PublishStatus, ...],
    told: tuple[str, str | None],
) -> None:
    for status in said:
        say(workspace, processing, status)
    with workspace.ledger.read() as session:
        kept = session.get_one(Publication, processing.id)
    assert (kept.tiktok_status, kept.fail_reason) == told
    assert kept.tiktok_status_at == workspace.ledger.now()


def test_another_link_takes_the_place_of_the_first_and_the_story_says_so_once(
    workspace: Workspace, processing: Publication
) -> None:
    first, second = LINKED.post_ids[0], "7678907398077074697"
    other = PublishStatus("PUBLISH_COMPLETE", post_ids=(second,))
    both = PublishStatus("PUBLISH_COMPLETE", post_ids=(first, second))
    for status in (LINKED, both, other, other, both):
        say(workspace, processing, status)
    with workspace.ledger.read() as session:
        kept = session.get_one(Publication, processing.id)
        story = [entry.why for entry in audit.story(session, processing.post_id)]
    assert kept.tiktok_post_id == second
    assert [why for why in story if "before" in why] == [
        f"TikTok names {second} as its post, where it named {first} before"
    ]


@pytest.mark.parametrize("reason", ["frame_rate_check_failed", None, "a_reason_of_tomorrow"])
def test_a_failed_post_says_why_and_what_to_do(
    workspace: Workspace, processing: Publication, reason: str | None
) -> None:
    say(workspace, processing, PublishStatus("FAILED", fail_reason=reason))
    post = read_post(workspace, processing.post_id)
    assert post.reason == f"TikTok failed the post: {reason or 'failed_without_reason'}"
    assert f"reelflow posts retry {post.id}" in str(post.fix)


def test_a_status_of_an_unknown_publication_is_refused(
    workspace: Workspace, processing: Publication
) -> None:
    with pytest.raises(PostNotFoundError, match="no publication"):
        apply_status(workspace, processing.post_id, "v_pub_file~v2-1.0", LINKED, actor=ACTOR)


@pytest.mark.parametrize("status", [FAILED, SILENT, DELIVERED])
@pytest.mark.parametrize("state", [S.UPLOADING, S.COMMITTING, S.PROCESSING])
def test_what_becomes_of_a_superseded_publication_does_not_move_the_post(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    status: PublishStatus,
) -> None:
    post = make_post(account, state=state)
    old = make_publication(workspace, post, state=PublicationState.SUPERSEDED, is_current=False)
    make_publication(workspace, post)
    assert say(workspace, old, status) is state


STATUSES = st.one_of(
    st.builds(
        PublishStatus,
        st.sampled_from(
            ["PROCESSING_UPLOAD", "PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED", "NEW_WORD"]
        ),
        fail_reason=st.sampled_from([None, "internal", "publish_cancelled"]),
        post_ids=st.sampled_from([(), ("7678907398077074696",)]),
        uploaded_bytes=st.sampled_from([None, 0, 1, 10_000]),
    )
)
#: How much is known of a post; what is said later never makes it less.
KNOWN = {
    S.COMMITTING: 0,
    S.PROCESSING: 1,
    S.READY: 2,  # TikTok failed it for a reason that passes
    S.FAILED: 2,
    S.IN_INBOX: 2,
    S.PUBLISHED_NO_LINK: 3,
    S.PUBLISHED: 4,
}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(
    state=st.sampled_from(sorted(PAST_LAST_BYTE)),
    mode=st.sampled_from(PostMode),
    said=st.lists(STATUSES, min_size=1, max_size=5),
)
def test_any_statuses_in_any_order_move_a_post_forward_along_the_table_only(
    workspace: Workspace,
    account: Account,
    state: PostState,
    mode: PostMode,
    said: list[PublishStatus],
) -> None:
    factories.forget_posts(workspace)
    post = factories.make_post(workspace, account, state=state, mode=mode)
    publication = make_publication(workspace, post)
    before = state
    for status in said:
        after = say(workspace, publication, status)
        assert after is before or after in TRANSITIONS[before]
        assert KNOWN[after] > KNOWN[before] or after is before
        assert say(workspace, publication, status) is after  # the same again says nothing new
        before = after
    with workspace.ledger.read() as session:
        steps = [row for row in audit.story(session, post.id) if row.from_state]
    assert len(steps) == len({row.to_state for row in steps})


INTERNAL = PublishStatus("FAILED", fail_reason="internal")


def failures(workspace: Workspace) -> list[tuple[int, str]]:
    with workspace.ledger.read() as session:
        return [(row.account_id, row.code) for row in session.scalars(select(PlatformFailure))]


@pytest.mark.parametrize("state", [S.PROCESSING, S.UNKNOWN])
def test_a_fault_of_tiktoks_in_what_it_had_in_full_is_told_to_the_breaker_once(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    publication = make_publication(
        workspace, make_post(account, state=state), state=PublicationState.SENT
    )
    for _ in range(2):
        say(workspace, publication, INTERNAL)
    assert failures(workspace) == [(account.id, "internal")]


@pytest.mark.parametrize(
    ("state", "publication_state", "status"),
    [
        (S.PROCESSING, PublicationState.SENT, FAILED),
        (S.COMMITTING, PublicationState.COMMITTING, INTERNAL),  # its URL's hour is over
        (S.READY, PublicationState.SUPERSEDED, INTERNAL),
        (S.IN_INBOX, PublicationState.DONE, INTERNAL),
    ],
)
def test_what_is_no_fault_of_tiktoks_is_not_told_to_the_breaker(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    state: PostState,
    publication_state: PublicationState,
    status: PublishStatus,
) -> None:
    post = make_post(account, state=state)
    say(workspace, make_publication(workspace, post, state=publication_state), status)
    assert failures(workspace) == []


def test_a_post_is_settled_also_when_the_breaker_cannot_be_told(
    workspace: Workspace, processing: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    with locked_at(workspace, "BEGIN IMMEDIATE", nth=2):  # the first settles the post
        assert say(workspace, processing, INTERNAL) is S.READY
    assert read_post(workspace, processing.post_id).state is S.READY
    assert "the breaker was not told" in caplog.text
