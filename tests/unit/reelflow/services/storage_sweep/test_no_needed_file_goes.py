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
        images=st.lists(st.integers(0, 5), max_size=3, unique=True),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def clock() -> Clock:
    """A clock by which all that is put now has been there for ten days."""
    return Clock(datetime.now(UTC) + timedelta(days=10))


def build(
    workspace: Workspace, account: Account, drawn: Sequence[Drawn]
) -> tuple[dict[str, set[int]], set[str], set[str]]:
    """Make the posts and their files.

    :return: whose each object is, by its key; the keys of sources; those of deleted files
    """
    posts = [make_post(workspace, account, keyed=False) for _ in drawn]
    media_ids = [post.media_id for post in posts]
    now, store = workspace.ledger.now(), workspace.folders.store
    objects: dict[str, list[str]] = {}
    for post, one in zip(posts, drawn, strict=True):
        key, target = f"media/{post.media_id}.mp4", f"quarantine/acme/{post.id}.mp4"
        is_moved = one.place == "quarantine" or (one.place == "under way" and one.own)
        if is_moved:
            store.move(key, target)
        pictures = [f"thumbnails/{post.media_id}{end}.jpg" for end in ("", "-1")]
        for picture in (*pictures, f"prepared/{post.media_id}.jpg"):
            store.put(picture, b"jpeg", size_bytes=4)
        with workspace.ledger.write() as session:
            media = session.get_one(Media, post.media_id)
            media.created_at = now - timedelta(days=500)
            media.source_path = target if one.place == "quarantine" else key
            media.thumbnail_path, media.candidates = pictures[0], [{"at_ms": 0, "key": pictures[1]}]
            media.deleted_at = now if one.is_deleted else None
        lies_at = target if is_moved else key
        objects[post.media_id] = [lies_at, *pictures, f"prepared/{post.media_id}.jpg"]
    whose: dict[str, set[int]] = {key: set() for keys in objects.values() for key in keys}
    for number, (post, one) in enumerate(zip(posts, drawn, strict=True)):
        first = media_ids[number if one.own else number - 1]
        more = [media_ids[image] for image in one.images if image < len(posts)]
        files = [first, *(media_id for media_id in more if media_id != first)]
        with workspace.ledger.write() as session:
            row = session.get_one(Post, post.id)
            row.media_id, row.state = first, one.state
            row.state_since = now - timedelta(days=one.age_days)
            if len(files) > 1:
                row.kind = PostKind.PHOTO
                for ordinal, media_id in enumerate(files):
                    session.add(PhotoImage(post_id=post.id, ordinal=ordinal, media_id=media_id))
        for media_id in files:
            for key in objects[media_id]:
                whose[key].add(number)
    sources = {keys[0] for keys in objects.values()}
    gone = [media_id for media_id, one in zip(media_ids, drawn, strict=True) if one.is_deleted]
    return whose, sources, {key for media_id in gone for key in objects[media_id]}


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=POSTS, strays=st.integers(0, 3))
@example(drawn=[Drawn(S.FAILED, 31, "media", True, False, [])], strays=1)
@example(drawn=[Drawn(S.REJECTED, 400, "under way", True, False, [])], strays=0)
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
        workspace.folders.store.delete(key)
    whose, sources, deleted = build(workspace, account, drawn)
    for number in range(strays):
        workspace.folders.store.put(f"media/{number:032x}.mp4", b"bytes", size_bytes=5)
    before = stored_keys(workspace)

    dry = sweep_storage(workspace, actor="sweep", dry_run=True)
    assert stored_keys(workspace) == before
    real = sweep_storage(workspace, actor="sweep")
    assert real.found == real.deleted == dry.found
    assert real.troubles == {}
    # What died on its way into the quarantine has no file any more by now: its rest is an orphan.
    sweep_storage(workspace, actor="sweep")

    left = stored_keys(workspace)
    for key, numbers in whose.items():
        posts = [drawn[number] for number in numbers]
        if key not in left:
            assert {one.state for one in posts} <= DONE | ENDED
            ended = [one for one in posts if one.state in ENDED]
            assert key in deleted or all(one.age_days > RETENTION_DAYS for one in ended)
        elif key in sources and key not in deleted and posts:
            assert not all(one.state in ENDED and one.age_days > RETENTION_DAYS for one in posts)
    assert not any(key.startswith("media/0000") for key in left)
    assert sweep_storage(workspace, actor="sweep").found == []
