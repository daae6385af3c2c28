"""Whatever rows and files there are: no file goes that a post may still need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from reelflow.domain.post import DONE, PostKind, PostState
from reelflow.ledger.models import Account, Media, PhotoImage, Post
from reelflow.services.storage_sweep.sweep import sweep_storage
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock, forget_posts, make_post
from tests.left_behind import stored_keys

S = PostState
ENDED = frozenset({S.REJECTED, S.FAILED, S.CANCELLED})
RETENTION_DAYS = 30


@dataclass(frozen=True)
class Drawn:
    """A post that is drawn.

    :param own: whether its file is its own; else it is the one before it
    :param images: further files of it, by the number of the post whose own they are
    """

    state: PostState
    age_days: int
    place: str
    own: bool
    is_deleted: bool
    images: Sequence[int]


POSTS = st.lists(
    st.builds(
        Drawn,
        state=st.sampled_from(PostState),
        age_days=st.sampled_from([0, 1, 29, 31, 400]),
        place=st.sampled_from(["media", "quarantine", "under way"]),
        own=st.booleans(),
        is_deleted=st.sampled_from([False, False, False, True]),
        images=st.lists(st.integers(0, 3), max_size=3, unique=True),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def clock() -> Clock:
    """A clock by which all that is put now has been there for ten days."""
    return Clock(datetime.now(UTC) + timedelta(days=10))


@dataclass(frozen=True)
class Built:
    """What lies in the store, and what for.

    :param objects: keys of each file, by the number of the post whose own it is; its source first
    :param whose: the numbers of the posts that have each file
    """

    objects: list[list[str]]
    whose: list[set[int]]


def build(workspace: Workspace, account: Account, drawn: Sequence[Drawn]) -> Built:
    """Make the posts and their files."""
    posts = [make_post(workspace, account, keyed=False) for _ in drawn]
    objects = [put_files(workspace, post, one) for post, one in zip(posts, drawn, strict=True)]
    whose: list[set[int]] = [set() for _ in drawn]
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        for number, (post, one) in enumerate(zip(posts, drawn, strict=True)):
            media = session.get_one(Media, post.media_id)
            source, media.thumbnail_path, candidate, _ = objects[number]
            media.candidates = [{"at_ms": 0, "key": candidate}]
            media.source_path = media.source_path if one.place == "under way" else source
            media.created_at = now - timedelta(days=500)
            media.deleted_at = now if one.is_deleted else None
        for number, (post, one) in enumerate(zip(posts, drawn, strict=True)):
            first = number if one.own else number - 1
            more = [image for image in one.images if image < len(posts)]
            files = list(dict.fromkeys([first % len(posts), *more]))
            row = session.get_one(Post, post.id)
            row.media_id, row.state = posts[files[0]].media_id, one.state
            row.state_since = now - timedelta(days=one.age_days)
            for ordinal, file in enumerate(files if len(files) > 1 else []):
                row.kind, media_id = PostKind.PHOTO, posts[file].media_id
                session.add(PhotoImage(post_id=post.id, ordinal=ordinal, media_id=media_id))
            for file in files:
                whose[file].add(number)
    return Built(objects, whose)


def put_files(workspace: Workspace, post: Post, drawn: Drawn) -> list[str]:
    """Put a post's source where it is drawn to lie, and its pictures; return their keys."""
    folder, source = data_folder(workspace), post.media.source_path
    if drawn.place == "quarantine" or (drawn.place == "under way" and drawn.own):
        (folder.quarantine / "acme").mkdir(exist_ok=True)
        source = f"quarantine/acme/{post.id}.mp4"
        folder.path(post.media.source_path).rename(folder.path(source))
    pictures = [f"thumbnails/{post.media_id}{end}.jpg" for end in ("", "-1")]
    pictures.append(f"prepared/{post.media_id}.jpg")
    for picture in pictures:
        folder.path(picture).write_bytes(b"jpeg")
    return [source, *pictures]


def may_go(post: Drawn) -> bool:
    """Whether a post allows that its file goes."""
    return post.state in DONE or (post.state in ENDED and post.age_days > RETENTION_DAYS)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=POSTS, strays=st.integers(0, 3))
@example(drawn=[Drawn(S.FAILED, 31, "media", True, False, [])], strays=1)
@example(drawn=[Drawn(S.REJECTED, 400, "under way", True, False, [])], strays=0)
@example(
    drawn=[
        Drawn(S.HELD, 0, "media", False, False, []),
        Drawn(S.PUBLISHED, 0, "under way", True, True, []),
    ],
    strays=0,
)
@example(
    drawn=[
        Drawn(S.FAILED, 31, "media", True, False, [1]),
        Drawn(S.MISSED, 31, "media", True, False, []),
    ],
    strays=0,
)
def test_only_files_whose_posts_all_ended_long_ago_go_and_a_dry_run_tells_which(
    workspace: Workspace, account: Account, drawn: Sequence[Drawn], strays: int
) -> None:
    with workspace.ledger.write() as session:
        session.execute(delete(PhotoImage))
    forget_posts(workspace)
    for key in stored_keys(workspace):
        data_folder(workspace).path(key).unlink()
    built = build(workspace, account, drawn)
    for number in range(strays):
        data_folder(workspace).path(f"media/{number:032x}.mp4").write_bytes(b"bytes")
    before = stored_keys(workspace)

    dry = sweep_storage(workspace, actor="sweep", dry_run=True)
    assert stored_keys(workspace) == before
    real = sweep_storage(workspace, actor="sweep")
    assert real.found == real.deleted == dry.found
    assert real.troubles == {}
    # What died on its way into the quarantine has no file any more by now: its rest is an orphan.
    sweep_storage(workspace, actor="sweep")

    left = stored_keys(workspace)
    for file, one, numbers in zip(built.objects, drawn, built.whose, strict=True):
        posts = [drawn[number] for number in numbers]
        gone = [key for key in file if key not in left]
        if gone:
            assert {post.state for post in posts} <= DONE | ENDED
            assert one.is_deleted or all(may_go(post) for post in posts)
        elif posts and all(may_go(post) and post.age_days > RETENTION_DAYS for post in posts):
            assert not {post.state for post in posts} & ENDED  # of what is done, others take care
    assert not any(key.startswith("media/0000") for key in left)
    assert sweep_storage(workspace, actor="sweep").found == []
