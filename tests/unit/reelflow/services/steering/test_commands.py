"""What a person may do to a post, from every state, and what each command leaves behind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import (
    COMMAND_SOURCES,
    PAST_LAST_BYTE,
    Interaction,
    PersonCommand,
    PostMode,
    PostState,
    PrivacyLevel,
)
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    IllegalTransitionError,
    LeaseLostError,
    MediaUnreadableError,
    PostNotFoundError,
)
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.intake.rejection import quarantine, reject
from reelflow.services.steering import commands
from reelflow.services.uploads.media import delete_media, finish_deletions
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Kept
from reelflow.tiktok.limits import TikTokLimits
from tests.data_folder import data_folder
from tests.factories import Clock, read_post
from tests.intake_users import ADMIN
from tests.left_behind import stored_keys
from tests.troubled_store import with_troubled_store
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
PERSON = "person:ann"
HOUR = timedelta(hours=1)
VIOLATION = {"rule": "duration", "value": "0.5 s", "limit": "3 s", "fix": "make it longer"}

DO: dict[PersonCommand, Callable[..., Post]] = {
    PersonCommand.RELEASE: commands.release,
    PersonCommand.CANCEL: commands.cancel,
    PersonCommand.RETRY: commands.retry,
}


@pytest.mark.parametrize("command", DO)
def test_a_command_works_from_its_states_and_changes_nothing_in_the_others(
    workspace: Workspace, account: Account, make_post: MakePost, command: PersonCommand
) -> None:
    allowed = COMMAND_SOURCES[command] - PAST_LAST_BYTE
    target = PostState.CANCELLED if command is PersonCommand.CANCEL else PostState.READY
    for state in PostState:
        post = make_post(account, state=state)
        if state in allowed:
            DO[command](workspace, post.id, actor=PERSON)
        else:
            with pytest.raises(
                IllegalTransitionError, match=r"cannot .* a post that is|only TikTok can stop it"
            ):
                DO[command](workspace, post.id, actor=PERSON)
        now = read_post(workspace, post.id)
        assert now.state is (target if state in allowed else state)
        with workspace.ledger.read() as session:
            rows = audit.story(session, post.id)
        if state in allowed:
            assert (rows[-1].actor, rows[-1].to_state) == (PERSON, target)
        else:
            assert len(rows) == 1
            assert now.fencing_token == 0


@pytest.mark.parametrize("command", DO)
def test_a_command_for_a_post_that_is_not_there_says_so(
    workspace: Workspace, command: PersonCommand
) -> None:
    with pytest.raises(PostNotFoundError):
        DO[command](workspace, 99, actor=PERSON)


# release


def test_a_held_post_without_privacy_needs_one_to_be_released(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level=None)
    with pytest.raises(IllegalTransitionError, match=r"--privacy and one of PUBLIC_TO_EVERYONE, "):
        commands.release(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).state is PostState.HELD
    level = PrivacyLevel.SELF_ONLY
    commands.release(workspace, post.id, actor=PERSON, privacy_level=level)
    assert read_post(workspace, post.id).privacy_level == level


def test_a_held_draft_is_released_without_privacy(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level=None, mode=PostMode.DRAFT)
    commands.release(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_privacy_level_that_is_none_is_not_released(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level="ZZ")
    with pytest.raises(IllegalTransitionError) as refused:
        commands.release(workspace, post.id, actor=PERSON)
    assert str(refused.value).startswith(
        f"post {post.id} has the privacy level 'ZZ', which is none: release it with --privacy and "
    )
    assert read_post(workspace, post.id).state is PostState.HELD
    commands.release(workspace, post.id, actor=PERSON, privacy_level=PrivacyLevel.SELF_ONLY)
    assert read_post(workspace, post.id).privacy_level == "SELF_ONLY"


@pytest.mark.parametrize(
    ("wished_in", "given_in", "due_in"),
    [(None, None, 0), (-48, None, 0), (5, None, 5), (5, 2, 2), (None, 3, 3), (5, -1, 0)],
)
def test_a_released_post_is_due_as_wished_at_the_earliest_now(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    wished_in: int | None,
    given_in: int | None,
    due_in: int,
) -> None:
    now = clock()
    wished = None if wished_in is None else now + wished_in * HOUR
    post = make_post(
        account,
        state=PostState.HELD,
        publish_at=wished,
        due_at=now - 48 * HOUR,
        claimed_by="a run of the past",
        claimed_until=now + HOUR,
    )
    at = None if given_in is None else now + given_in * HOUR
    commands.release(workspace, post.id, actor=PERSON, at=at)
    released = read_post(workspace, post.id)
    assert released.due_at == now + due_in * HOUR
    assert released.claimed_by is None


# cancel


def test_cancelling_a_running_upload_stops_it_before_its_last_byte(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    with workspace.ledger.write() as session:
        token = posts.take_lease(session, post.id, owner="x", now=clock(), lease=HOUR)
        publications.open_new(session, post.id, plan=TikTokLimits().plan(1000), now=clock())
    commands.cancel(workspace, post.id, actor=PERSON)
    with workspace.ledger.read() as session:
        (publication,) = publications.of_post(session, post.id)
    assert publication.state is PublicationState.SUPERSEDED
    assert not publication.is_current
    with pytest.raises(LeaseLostError):
        posts.check_fence(read_post(workspace, post.id), token)


# retry


def test_a_retried_post_is_due_now_with_all_its_tries(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(
        account,
        state=PostState.FAILED,
        upload_failures=5,
        due_at=clock() - 48 * HOUR,
        claimed_by="run",
        claimed_until=clock() + HOUR,
    )
    with workspace.ledger.write() as session:
        for _ in range(2):
            publications.open_new(session, post.id, plan=TikTokLimits().plan(1000), now=clock())
    commands.retry(workspace, post.id, actor=PERSON)
    now = read_post(workspace, post.id)
    assert (now.due_at, now.upload_failures, now.publications_forgiven) == (clock(), 0, 2)
    assert (now.claimed_by, now.reason, now.fix) == (None, "tried again by hand", None)


def test_a_retried_rejected_post_gets_its_file_back_and_is_judged_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, content=b"video", keyed=False)
    reject(workspace, post.id, [VIOLATION], actor="run")
    rejected = read_post(workspace, post.id)
    assert rejected.media.source_path == f"quarantine/acme/{post.id}.mp4"
    commands.retry(workspace, post.id, actor=PERSON)
    now = read_post(workspace, post.id)
    assert now.media.source_path == post.media.source_path
    assert data_folder(workspace).path(now.media.source_path).read_bytes() == b"video"
    assert (now.media.validated_at, now.media.violations) == (None, None)
    assert list((data_folder(workspace).quarantine / "acme").iterdir()) == []


def test_a_post_whose_sidecar_was_never_understood_cannot_be_retried(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """It has the fields of no sidecar, and would go out at once by the inbox's privacy level."""
    post = make_post(account, state=PostState.REJECTED, reason_code="sidecar")
    quarantine(workspace, post.id)
    with pytest.raises(IllegalTransitionError, match="corrected sidecar into the inbox again"):
        commands.retry(workspace, post.id, actor=PERSON)
    now = read_post(workspace, post.id)
    assert (now.state, now.reason_code) == (PostState.REJECTED, "sidecar")
    assert data_folder(workspace).path(f"quarantine/acme/{post.id}.mp4").exists()


@pytest.mark.parametrize("trouble", ["its account is revoked", "its bytes are another post"])
def test_a_rejected_post_that_may_not_be_retried_stays_in_the_quarantine_with_its_reasons(
    workspace: Workspace, account: Account, make_post: MakePost, trouble: str
) -> None:
    post = make_post(account, content=b"same")
    reject(workspace, post.id, [VIOLATION], actor="run")
    if trouble == "its account is revoked":
        mark_revoked(workspace, account.id, why="the creator removed the app", actor="run")
    else:
        make_post(account, content=b"same")
    with pytest.raises(IllegalTransitionError):
        commands.retry(workspace, post.id, actor=PERSON)
    aside = f"quarantine/acme/{post.id}"
    assert read_post(workspace, post.id).media.source_path == f"{aside}.mp4"
    assert data_folder(workspace).path(f"{aside}.mp4").exists()
    assert data_folder(workspace).path(f"{aside}.reason.json").exists()


@pytest.mark.parametrize("wish_in", [30 * 24 * HOUR, -HOUR])
def test_a_retry_keeps_a_wish_that_is_still_to_come(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, wish_in: timedelta
) -> None:
    wish = clock() + wish_in
    post = make_post(account, state=PostState.CANCELLED, publish_at=wish, due_at=wish)
    assert commands.retry(workspace, post.id, actor=PERSON).due_at == max(wish, clock())


def test_a_retry_that_died_after_it_brought_the_file_back_can_be_given_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, keyed=False)
    reject(workspace, post.id, [VIOLATION], actor="run")
    media = read_post(workspace, post.id).media
    aside = Kept(media.source_path, media.source_identity)
    workspace.folders.bring_back(aside, post.media.source_path)
    commands.retry(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).media.source_path == post.media.source_path


def test_a_post_whose_file_is_deleted_while_it_is_retried_stays_as_it_was(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, keyed=False)
    reject(workspace, post.id, [VIOLATION], actor="run")
    troubled, store = with_troubled_store(workspace)

    def delete(key: str) -> None:
        if key == post.media.source_path:  # back from the quarantine, which the ledger does not say
            store.after_stat = None
            delete_media(workspace, ADMIN, post.media_id)

    store.after_stat = delete
    with pytest.raises(MediaUnreadableError, match=r"\(clip\.mp4\) is gone"):
        commands.retry(troubled, post.id, actor=PERSON)
    now = read_post(workspace, post.id)
    assert (now.state, now.media.deleted_at is None) == (PostState.REJECTED, False)
    assert finish_deletions(workspace) == [post.media_id]
    assert stored_keys(workspace) == set()


@pytest.mark.parametrize("state", sorted(COMMAND_SOURCES[PersonCommand.RETRY]))
def test_a_post_without_its_file_cannot_be_retried(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    workspace.folders.delete_source(post.media.source_path)
    with pytest.raises(MediaUnreadableError, match=r"\(clip\.mp4\) is gone: put it into the inbox"):
        commands.retry(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize("state", sorted(COMMAND_SOURCES[PersonCommand.RETRY]))
def test_a_post_whose_bytes_are_another_post_by_now_is_not_retried(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, content=b"same")
    other = make_post(account, state=PostState.PUBLISHED, content=b"same")
    with pytest.raises(IllegalTransitionError, match=f"the same bytes as post {other.id}"):
        commands.retry(workspace, post.id, actor=PERSON)
    assert read_post(workspace, post.id).state is state
    twin: dict[str, Any] = {"state": state, "content": b"other"}
    commands.retry(workspace, make_post(account, **twin).id, actor=PERSON)


def test_a_release_may_go_without_what_the_creator_has_switched_off(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD, wanted_interactions="comment,duet")
    commands.release(workspace, post.id, actor=PERSON, disable=[Interaction.DUET])
    released = read_post(workspace, post.id)
    assert (released.disable_duet, released.disable_comment) == (True, False)
    assert released.wanted_interactions == "comment"


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        ({}, PublicationState.UPLOADING),
        ({"privacy_level": PrivacyLevel.SELF_ONLY}, PublicationState.SUPERSEDED),
        ({"disable": [Interaction.COMMENT]}, PublicationState.SUPERSEDED),
    ],
)
def test_a_release_with_other_wishes_does_not_go_on_with_what_was_opened_by_the_old_ones(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    wish: dict[str, Any],
    left: PublicationState,
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level="PUBLIC_TO_EVERYONE")
    make_publication(workspace, post)
    commands.release(workspace, post.id, actor=PERSON, **wish)
    with workspace.ledger.read() as session:
        (publication,) = publications.of_post(session, post.id)
    assert publication.state is left
