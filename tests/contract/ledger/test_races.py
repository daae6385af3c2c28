"""Of several processes that want the same thing at once, one gets it, on either database."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import chain, pairwise
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from reelflow.domain.post import TRANSITIONS, UNKEYED, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, batches, claims, posts
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.workspace import Workspace
from tests import factories
from tests.contract.ledger.racing import race
from tests.data_folder import data_folder
from tests.factories import ACTOR, Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
DAY = timedelta(days=1)
LEASE = timedelta(seconds=120)
RACERS = 5


def story(workspace: Workspace, post_id: int) -> list[str | None]:
    with workspace.ledger.read() as session:
        return [row.to_state for row in audit.story(session, post_id)]


def test_of_runs_that_claim_the_same_posts_in_any_order_each_post_has_one(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    ids = [make_post(account).id for _ in range(12)]

    def claim(number: int) -> frozenset[int]:
        # Two runs that lock the same rows in opposite orders would wait for each other.
        shuffled = Random(number).sample(ids, len(ids))
        with workspace.ledger.write() as session:
            now, hour = workspace.ledger.now(), timedelta(hours=1)
            return claims.claim(session, shuffled, run_id=f"run {number}", now=now, claim=hour)

    claimed = race([partial(claim, number) for number in range(RACERS)])

    assert sorted(chain.from_iterable(claimed)) == ids
    for number, mine in enumerate(claimed):
        owners = {factories.read_post(workspace, post_id).claimed_by for post_id in mine}
        assert owners <= {f"run {number}"}


def test_of_runs_that_start_at_once_each_post_is_in_the_batch_of_one(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    ids = [make_post(account).id for _ in range(8)]
    runs = [NormalRun(f"run {number}", clock(), DAY) for number in range(RACERS)]

    def start(run: NormalRun) -> list[int]:
        return [post.post_id for post in find_new_uploads(workspace, run, actor=ACTOR)]

    taken = race([partial(start, run) for run in runs])

    assert sorted(chain.from_iterable(taken)) == ids
    with workspace.ledger.read() as session:
        kept = [list(batches.post_ids(session, run.run_id)) for run in runs]
    assert kept == taken


def test_of_runs_that_start_at_once_those_behind_the_first_see_what_it_has_in_hand(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    for _ in range(120):
        make_post(account)
    runs = [NormalRun(f"run {number}", clock(), DAY) for number in range(RACERS)]

    def start(run: NormalRun) -> int:
        return len(find_new_uploads(workspace, run, actor=ACTOR))

    # Plenty for the account, so the others leave its next posts alone.
    assert sorted(race([partial(start, run) for run in runs])) == [0] * (RACERS - 1) + [100]


def test_a_run_that_loses_its_posts_to_another_takes_the_next_ones(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    for _ in range(4 * RACERS):
        make_post(account)
    url = workspace.ledger.engine.url.render_as_string(hide_password=False)

    def start(number: int) -> list[int]:
        # Of different sizes, so that one run's wish may be another's in part.
        own = factories.open_workspace(
            data_folder(workspace).root, clock, database_url=url, batch_size=1 + number
        )
        run = NormalRun(f"run {number}", clock(), DAY)
        return [post.post_id for post in find_new_uploads(own, run, actor=ACTOR)]

    taken = race([partial(start, number) for number in range(RACERS)])

    assert all(taken)
    assert len(list(chain.from_iterable(taken))) == len(set(chain.from_iterable(taken)))


def test_of_processes_that_ask_for_a_lease_one_gets_it_and_tokens_only_grow(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)

    def ask(number: int) -> int | None:
        with workspace.ledger.write() as session:
            now = workspace.ledger.now()
            return posts.take_lease(session, post.id, owner=f"{number}", now=now, lease=LEASE)

    for generation in range(1, 4):
        tokens = race([partial(ask, number) for number in range(RACERS)])
        assert [token for token in tokens if token is not None] == [generation]
        clock.advance(LEASE)


def test_of_processes_that_move_a_post_differently_each_step_follows_from_the_one_before(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    wishes = [PostState.UPLOADING, PostState.UPLOADING, PostState.HELD, PostState.CANCELLED]

    def move(to: PostState) -> PostState:
        with workspace.ledger.write() as session:
            now = workspace.ledger.now()
            return posts.move(session, post.id, to, now=now, actor=ACTOR, why="race").state

    answers = race([partial(move, wish) for wish in wishes])

    walked = [PostState(state) for state in story(workspace, post.id) if state]
    assert all(then in TRANSITIONS[now] for now, then in pairwise(walked))
    assert sorted(walked[1:]) == sorted(a for a in answers if a is not IllegalTransitionError)
    assert factories.read_post(workspace, post.id).state is walked[-1]


def test_of_runs_that_miss_the_same_posts_each_is_missed_once_and_no_run_fails(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    ids = [make_post(account, due_at=clock() - 2 * DAY).id for _ in range(6)]
    runs = [NormalRun(f"run {number}", clock(), DAY) for number in range(RACERS)]

    answers = race([partial(find_new_uploads, workspace, run, actor=ACTOR) for run in runs])

    assert answers == [[]] * RACERS
    assert [story(workspace, post_id) for post_id in ids] == [["READY", "MISSED"]] * 6


def test_of_sweeps_that_return_the_same_uploads_one_returns_each(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    ids = [make_post(account, state=PostState.UPLOADING).id for _ in range(6)]

    answers = race([lambda: return_stalled_uploads(workspace, actor=ACTOR)] * RACERS)

    assert sorted(chain.from_iterable(answers)) == ids
    assert [story(workspace, post_id) for post_id in ids] == [["UPLOADING", "READY"]] * 6


def test_of_processes_that_add_the_same_bytes_one_has_the_key(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    waiting = [make_post(account, content=b"same", keyed=False) for _ in range(RACERS)]

    def take_key(post: Post) -> int:
        with workspace.ledger.write() as session:
            session.get_one(Post, post.id).sha256 = "a" * 64
        return post.id

    answers = race([partial(take_key, post) for post in waiting])

    assert answers.count(IntegrityError) == RACERS - 1
    with workspace.ledger.read() as session:
        keyed = session.scalars(select(Post.id).where(Post.sha256 == "a" * 64)).all()
    assert list(keyed) == [answer for answer in answers if answer is not IntegrityError]


@pytest.mark.parametrize("state", PostState)
def test_bytes_have_one_post_a_slot_and_account_while_it_may_be_or_become_public(
    workspace: Workspace,
    make_account: Callable[..., Account],
    make_post: MakePost,
    state: PostState,
) -> None:
    first, second = make_account("first"), make_account("second")
    make_post(first, content=b"same", state=state)
    make_post(second, content=b"same")
    make_post(first, content=b"same", slot=1)
    if state in UNKEYED:
        make_post(first, content=b"same")
        return
    with pytest.raises(IntegrityError):
        make_post(first, content=b"same")
