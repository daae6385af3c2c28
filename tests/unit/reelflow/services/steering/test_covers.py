"""Choosing a video's cover by hand, while TikTok does not have the video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import UNKEYED, PostKind, PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import IllegalTransitionError, PostNotFoundError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.publishing.post_info import video_post
from reelflow.services.steering.covers import choose_cover
from reelflow.services.workspace import Workspace
from tests.factories import read_post
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
PERSON = "person:ann"
CHOOSABLE = UNKEYED | {PostState.READY, PostState.HELD}


@pytest.mark.parametrize("state", sorted(CHOOSABLE))
def test_the_chosen_frame_is_what_tiktok_is_told_and_what_the_thumbnail_will_show(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    set_media(workspace, post, thumbnail_path="thumbnails/old.jpg", duration_s=1.5)
    choose_cover(workspace, post.id, actor=PERSON, at_ms=1200)
    now = read_post(workspace, post.id)
    assert now.state is state
    assert video_post(now).video_cover_timestamp_ms == 1200
    assert now.media.thumbnail_path is None
    with workspace.ledger.read() as session:
        step = audit.story(session, post.id)[-1]
    assert (step.actor, step.why) == (PERSON, "the cover is now the frame at 1200 ms, by hand")


@pytest.mark.parametrize("state", sorted(set(PostState) - CHOOSABLE))
def test_what_tiktok_may_have_keeps_its_cover(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state)
    with pytest.raises(IllegalTransitionError, match="before TikTok may have it"):
        choose_cover(workspace, post.id, actor=PERSON, at_ms=1)
    assert read_post(workspace, post.id).cover_timestamp_ms is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"kind": PostKind.PHOTO}, "cover_index"), ({"mode": PostMode.DRAFT}, "TikTok's app")],
)
def test_a_post_without_a_chosen_frame_says_where_its_cover_is_chosen(
    workspace: Workspace, account: Account, make_post: MakePost, fields: Any, told: str
) -> None:
    post = make_post(account, state=PostState.READY, **fields)
    with pytest.raises(IllegalTransitionError, match=told):
        choose_cover(workspace, post.id, actor=PERSON, at_ms=1)


def test_a_moment_behind_the_end_is_refused_with_the_end(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.READY)
    facts = MediaFacts("mp4", "video", 1, duration_s=9.0, video_duration_s=2.5)
    set_media(workspace, post, facts=facts.as_dict())
    with pytest.raises(IllegalTransitionError, match="no frame at 2501 ms: at most 2500 ms"):
        choose_cover(workspace, post.id, actor=PERSON, at_ms=2501)
    choose_cover(workspace, post.id, actor=PERSON, at_ms=2500)


def test_a_held_post_is_not_said_to_have_the_old_cover_any_more(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.HELD)
    other, cover = ({"rule": rule, "value": "", "limit": "", "fix": ""} for rule in ("x", "cover"))
    set_media(workspace, post, violations=[other, cover])
    choose_cover(workspace, post.id, actor=PERSON, at_ms=1)
    assert read_post(workspace, post.id).media.violations == [other]
    set_media(workspace, post, violations=[cover])
    choose_cover(workspace, post.id, actor=PERSON, at_ms=1)
    assert read_post(workspace, post.id).media.violations is None


def test_a_rejected_post_keeps_what_it_was_rejected_for_until_it_is_tried_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.REJECTED)
    cover = {"rule": "cover", "value": "", "limit": "", "fix": ""}
    set_media(workspace, post, violations=[cover])
    choose_cover(workspace, post.id, actor=PERSON, at_ms=1)
    assert read_post(workspace, post.id).media.violations == [cover]


def test_an_upload_that_was_opened_with_the_old_cover_is_given_up(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.READY)
    opened = make_publication(workspace, post, state=PublicationState.UPLOADING)
    choose_cover(workspace, post.id, actor=PERSON, at_ms=1)
    with workspace.ledger.read() as session:
        [now] = publications.of_post(session, post.id)
    assert (now.publish_id, now.state) == (opened.publish_id, PublicationState.SUPERSEDED)


def test_a_post_that_is_not_there_is_told(workspace: Workspace) -> None:
    with pytest.raises(PostNotFoundError):
        choose_cover(workspace, 99, actor=PERSON, at_ms=1)


def set_media(workspace: Workspace, post: Post, **values: Any) -> None:
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        for name, value in values.items():
            setattr(media, name, value)
