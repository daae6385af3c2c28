"""Changing what a post wishes, and whose word counts when an upload begins at that moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    IllegalTransitionError,
    PostNotFoundError,
    PostNotTakeableError,
    TerminalError,
)
from reelflow.ledger import audit, batches, claims, photo_images, posts, publications
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.post_info import video_post
from reelflow.services.steering.editing import EDITABLE, edit_post
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
ANN = "user:ann"


def edit(workspace: Workspace, post: Post, **changes: Any) -> Post:
    edit_post(workspace, post.id, changes, actor=ANN)
    return read_post(workspace, post.id)


def refused(workspace: Workspace, post: Post, **changes: Any) -> str:
    with pytest.raises(TerminalError) as told:
        edit(workspace, post, **changes)
    assert told.value.code == "invalid_post"
    return str(told.value)


def story(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [f"{row.actor}: {row.why}" for row in audit.story(session, post.id)][1:]


@pytest.mark.parametrize("state", sorted(EDITABLE))
def test_what_is_named_changes_and_the_rest_and_the_state_stay(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, caption="old", disable_duet=True)
    after = edit(workspace, post, caption="new", is_aigc=True)
    assert (after.state, after.caption, after.is_aigc) == (state, "new", True)
    assert (after.disable_duet, after.privacy_level) == (True, "SELF_ONLY")
    assert (after.due_at, after.wanted_interactions) == (post.due_at, None)
    assert story(workspace, post) == ["user:ann: changed: caption, is_aigc"]


@pytest.mark.parametrize("state", sorted(set(PostState) - EDITABLE))
def test_what_tiktok_may_have_is_not_changed(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, caption="old")
    with pytest.raises(IllegalTransitionError, match="before TikTok may have it"):
        edit(workspace, post, caption="new")
    assert read_post(workspace, post.id).caption == "old"


def test_a_post_that_there_is_not_is_not_changed(workspace: Workspace) -> None:
    with pytest.raises(PostNotFoundError):
        edit_post(workspace, 5, {"caption": "new"}, actor=ANN)


def test_fields_are_judged_together_with_those_that_stay(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, brand_content_toggle=True, privacy_level="PUBLIC_TO_EVERYONE")
    message = refused(workspace, post, privacy_level="SELF_ONLY")
    assert "brand_content_toggle needs a visible post" in message
    edit(workspace, post, privacy_level="SELF_ONLY", brand_content_toggle=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"privacy_level": None}, "privacy_level is missing"),
        ({"caption": "x" * 2201}, "TikTok takes 2200"),
        ({"caption": None}, "caption is None"),
        ({"repost": True}, "'repost' cannot be changed (what can be: caption"),
        ({"account": "beta"}, "'account' cannot be changed"),
        ({"title": "t"}, "'title' cannot be changed"),
        ({"publish_at": "tomorrow"}, "publish_at is 'tomorrow'"),
    ],
)
def test_a_wrong_value_changes_nothing_else(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    changes: dict[str, Any],
    expected: str,
) -> None:
    post = make_post(account, caption="old")
    assert expected in refused(workspace, post, **{"disable_duet": True, **changes})
    after = read_post(workspace, post.id)
    assert (after.caption, after.disable_duet) == ("old", False)
    assert story(workspace, post) == []


def test_what_a_post_insists_on_is_kept_until_it_is_disabled(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, wanted_interactions="comment,duet")
    assert edit(workspace, post, caption="new").wanted_interactions == "comment,duet"
    assert edit(workspace, post, disable_duet=True).wanted_interactions == "comment"
    assert edit(workspace, post, disable_stitch=False).wanted_interactions == "comment,stitch"


def test_another_time_is_when_it_is_due(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    later = clock() + timedelta(days=2)
    post = make_post(account, rescheduled_because="a budget is spent")
    after = edit(workspace, post, publish_at=later.isoformat())
    assert (after.publish_at, after.due_at, after.rescheduled_because) == (later, later, None)
    now = edit(workspace, post, publish_at=None)
    assert (now.publish_at, now.due_at) == (None, clock())


def test_a_run_that_has_the_post_leaves_it_to_its_new_time_and_is_no_failure(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    with workspace.ledger.write() as session:
        hour = timedelta(hours=1)
        batches.append(session, "run", [post.id], now=clock())
        claims.claim(session, [post.id], run_id="run", now=clock(), claim=hour)
        token = posts.take_lease(session, post.id, owner="run/0", now=clock(), lease=hour)
    assert token is not None
    edit(workspace, post, publish_at=(clock() + timedelta(days=2)).isoformat())
    journal = UploadJournal(workspace, post.id, actor="run/0", fencing_token=token)
    with pytest.raises(PostNotTakeableError, match="is wished for"):
        journal.start()
    assert read_post(workspace, post.id).state is PostState.READY
    summary = summarize(workspace, "run")
    assert summary.problems == []
    assert ["is wished for" in line for line in summary.lines] == [True]


def test_what_was_opened_with_other_fields_is_given_up_and_a_time_gives_nothing_up(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    make_publication(workspace, post)
    edit(workspace, post, publish_at=clock().isoformat())
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
    assert current is not None
    assert current.state is PublicationState.UPLOADING
    edit(workspace, post, caption="new")
    with workspace.ledger.read() as session:
        states = [one.state for one in publications.of_post(session, post.id)]
    assert states == [PublicationState.SUPERSEDED]


def test_another_cover_is_made_and_must_be_in_the_video(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    facts = MediaFacts("mp4", "video", 1, duration_s=2.5)
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        media.facts, media.thumbnail_path = facts.as_dict(), "thumbnails/old.jpg"
    message = refused(workspace, post, cover_timestamp_ms=2501)
    assert "no frame at 2501 ms: at most 2500 ms" in message
    after = edit(workspace, post, cover_timestamp_ms=2500)
    assert (after.cover_timestamp_ms, after.media.thumbnail_path) == (2500, None)
    assert edit(workspace, post, cover_timestamp_ms=None).cover_timestamp_ms is None


def test_a_held_post_is_judged_again_with_its_new_cover(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD)
    other, cover = ({"rule": rule, "value": "", "limit": "", "fix": ""} for rule in ("x", "cover"))
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).violations = [other, cover]
    assert edit(workspace, post, cover_timestamp_ms=1).media.violations == [other]


def test_the_cover_of_photos_is_one_of_them(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, kind=PostKind.PHOTO, file_name="a.jpg")
    with workspace.ledger.write() as session:
        photo_images.add(session, post.id, [post.media_id, post.media_id])
    assert "it has 2 photos" in refused(workspace, post, cover_index=2)
    assert edit(workspace, post, cover_index=1, title="t").photo_cover_index == 1


def test_nothing_that_differs_leaves_no_trace(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, caption="same")
    make_publication(workspace, post)
    edit(workspace, post, caption="same")
    edit(workspace, post)
    assert story(workspace, post) == []


@ON_BOTH_DATABASES
def test_an_upload_that_begins_meanwhile_has_the_new_caption_or_the_change_is_refused(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    for number in range(20):
        post = make_post(account, caption="old")
        with workspace.ledger.write() as session:
            lease = timedelta(hours=1)
            token = posts.take_lease(session, post.id, owner="run", now=clock(), lease=lease)
        assert token is not None
        journal = UploadJournal(workspace, post.id, actor="run", fencing_token=token)
        sent: list[str] = []
        together = threading.Barrier(2)

        def begin(
            journal: UploadJournal = journal,
            sent: list[str] = sent,
            together: threading.Barrier = together,
        ) -> None:
            together.wait(10)
            sent.append(video_post(journal.start()).title)

        thread = threading.Thread(target=begin)
        thread.start()
        together.wait(10)
        try:
            edit_post(workspace, post.id, {"caption": f"new {number}"}, actor=ANN)
            told = f"new {number}"
        except IllegalTransitionError:
            told = "old"
        thread.join(30)
        assert sent == [told]
        change_post(workspace, post.id, state=PostState.CANCELLED)
