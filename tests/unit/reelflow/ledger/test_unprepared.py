"""Which posts' media are prepared ahead of time, and in which order."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.analysis import AI_GENERATED, NOT_ANALYSED
from reelflow.domain.post import PostState
from reelflow.ledger import batches, posts
from reelflow.ledger.batches import AHEAD
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.unprepared import unprepared, want_another_cover
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.photo_files import make_photo_post
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
HOUR = timedelta(hours=1)
CANDIDATES = [{"at_ms": 150, "key": "thumbnails/1-1.jpg"}]
WRONG = [{"rule": "duration", "value": "0.5 s", "limit": "1 s", "fix": "longer"}]


def found(workspace: Workspace, clock: Clock, *, limit: int = 100) -> list[int]:
    with workspace.ledger.read() as session:
        return unprepared(
            session, now=clock(), tried_before=clock() - HOUR, most_tries=3, limit=limit
        )


def take(workspace: Workspace, clock: Clock, run_id: str, *taken: Post) -> None:
    with workspace.ledger.write() as session:
        batches.append(session, f"{AHEAD}{run_id}", [post.id for post in taken], now=clock())


def change_media(workspace: Workspace, post: Post, **values: Any) -> None:
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        for name, value in values.items():
            setattr(media, name, value)


@pytest.mark.parametrize("state", PostState)
def test_what_is_not_validated_is_found_of_posts_that_wait(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    post = make_post(account, state=state, due_at=clock() + HOUR, validated=False)
    done = make_post(account, state=state, due_at=clock() + HOUR)
    change_media(workspace, done, thumbnail_path="thumbnails/1.jpg")
    waits = state in (PostState.READY, PostState.HELD)
    assert found(workspace, clock) == ([post.id] if waits else [])


def test_what_is_due_or_claimed_is_a_publishing_runs(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    later = clock() + HOUR
    make_post(account, validated=False, due_at=clock())
    make_post(
        account, validated=False, due_at=later, claimed_by="run", claimed_until=clock() + HOUR
    )
    lapsed = make_post(
        account, validated=False, due_at=later, claimed_by="run", claimed_until=clock()
    )
    # A run that held it claimed it just before, and leaves it alone now.
    held = make_post(
        account,
        state=PostState.HELD,
        validated=False,
        due_at=clock(),
        claimed_by="run",
        claimed_until=later,
    )
    assert found(workspace, clock) == [held.id, lapsed.id]


@pytest.mark.parametrize("missing", ["moved_at", "deleted_at"])
def test_a_file_that_is_not_there_is_not_prepared(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, missing: str
) -> None:
    post = make_post(account, validated=False, due_at=clock() + HOUR)
    change_media(workspace, post, **{missing: None if missing == "moved_at" else clock()})
    assert found(workspace, clock) == []


def test_what_is_wrong_with_a_held_post_is_found_once_and_again_when_it_is_released(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    make = {"validated": False, "due_at": clock() + HOUR}
    held = make_post(account, state=PostState.HELD, **make)
    released = make_post(account, **make)
    for post in (held, released):
        change_media(workspace, post, violations=WRONG)
    assert found(workspace, clock) == [released.id]


@pytest.mark.parametrize("code", [AI_GENERATED, NOT_ANALYSED, "no_privacy"])
def test_a_post_that_waits_for_approval_gets_pictures(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, code: str
) -> None:
    post = make_post(account, state=PostState.HELD, reason_code=code)
    photos = make_photo_post(workspace, account, state=PostState.HELD, reason_code=code)
    for one in (post, photos):
        change_media(workspace, one, thumbnail_path="thumbnails/1.jpg")
    waits = code != "no_privacy"
    assert found(workspace, clock) == ([post.id, photos.id] if waits else [])
    for one in (post, photos):
        change_media(workspace, one, candidates=[])
    assert found(workspace, clock) == []


def test_what_was_taken_lately_is_left_for_a_while_unless_a_publishing_run_took_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    taken, free = (make_post(account, validated=False, due_at=clock() + 9 * HOUR) for _ in "ab")
    take(workspace, clock, "run", taken)
    with workspace.ledger.write() as session:
        batches.append(session, "run", [free.id], now=clock())
    assert found(workspace, clock) == [free.id]
    clock.advance(HOUR)
    assert found(workspace, clock) == [taken.id, free.id]


@pytest.mark.parametrize("state", [PostState.READY, PostState.HELD])
def test_what_was_validated_and_came_no_further_is_found_again(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    begun = make_post(account, state=state, due_at=clock() + 9 * HOUR, reason_code="no_privacy")
    others = make_post(account, state=state, due_at=clock() + 9 * HOUR)  # a publishing run's
    for one in (begun, others):
        change_media(workspace, one, thumbnail_path="thumbnails/1.jpg")
    take(workspace, clock, "run", begun)
    assert found(workspace, clock) == []
    clock.advance(HOUR)
    assert found(workspace, clock) == [begun.id]
    change_media(workspace, begun, candidates=[])
    assert found(workspace, clock) == []


def test_what_fails_every_time_is_not_tried_for_ever(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    failing = [
        make_post(account, validated=False, due_at=clock() + 99 * HOUR),
        make_post(account, state=PostState.HELD, reason_code=AI_GENERATED),
    ]
    for run_id in "abc":
        assert sorted(found(workspace, clock)) == [post.id for post in failing]
        take(workspace, clock, run_id, *failing)
        clock.advance(HOUR)
    assert found(workspace, clock) == []


def test_the_first_that_is_due_comes_first_whatever_waits_for_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    last = make_post(account, validated=False, due_at=clock() + 3 * HOUR)
    first = make_post(account, validated=False, due_at=clock() + HOUR)
    second = make_post(
        account, state=PostState.HELD, reason_code=AI_GENERATED, due_at=clock() + 2 * HOUR
    )
    assert found(workspace, clock) == [first.id, second.id, last.id]
    assert found(workspace, clock, limit=2) == [first.id, second.id]


def want_cover(workspace: Workspace, post: Post) -> None:
    with workspace.ledger.write() as session:
        want_another_cover(session, posts.get(session, post.id, lock=True))


@pytest.mark.parametrize("state", PostState)
def test_a_post_that_waits_gets_another_cover_when_one_is_wanted(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    waits = state in (PostState.READY, PostState.HELD)
    post = make_post(account, state=state, due_at=clock() + HOUR)
    change_media(workspace, post, thumbnail_path="thumbnails/1.jpg", candidates=CANDIDATES)
    for run_id in "abc":  # as often as it is tried
        take(workspace, clock, run_id, post)
    assert found(workspace, clock) == []
    want_cover(workspace, post)
    assert found(workspace, clock) == ([post.id] if waits else [])
    change_media(workspace, post, thumbnail_path="thumbnails/1.jpg")
    assert found(workspace, clock) == []


def test_another_cover_of_what_is_due_or_cannot_go_out_is_not_made_ahead_of_time(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    due = make_post(account, due_at=clock())
    wrong, deleted = (make_post(account, state=PostState.HELD) for _ in "ab")
    change_media(workspace, wrong, violations=WRONG)
    change_media(workspace, deleted, deleted_at=clock())
    for post in (due, wrong, deleted):
        want_cover(workspace, post)
    assert found(workspace, clock) == []


def test_a_cover_that_cannot_be_made_is_not_tried_for_ever(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    failing, undecodable = (make_post(account, due_at=clock() + 99 * HOUR) for _ in "ab")
    change_media(workspace, failing, candidates=CANDIDATES)
    for post in (failing, undecodable):
        want_cover(workspace, post)
    assert found(workspace, clock) == [failing.id, undecodable.id]
    change_media(workspace, undecodable, candidates=[])  # as where there is no libav
    for run_id in "abc":
        assert found(workspace, clock) == [failing.id]
        take(workspace, clock, run_id, failing)
        assert found(workspace, clock) == []
        clock.advance(HOUR)
    assert found(workspace, clock) == []


def test_where_there_was_nothing_to_choose_from_it_is_looked_again_with_another_cover(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, due_at=clock() + HOUR)
    change_media(workspace, post, candidates=[])
    assert found(workspace, clock) == []
    want_cover(workspace, post)
    assert found(workspace, clock) == [post.id]
