"""A backlog: with plenty in hand, an account's next posts wake no run and are taken by none."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from tests import factories
from tests.factories import ACTOR, Clock, change_post, waiting_work
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: So many posts in hand are plenty for the usual batch of 100.
PLENTY = 50


def take(workspace: Workspace, clock: Clock, run_id: str = "next") -> list[int]:
    run = NormalRun(run_id, clock(), DAY)
    return [post.post_id for post in find_new_uploads(workspace, run, actor=ACTOR)]


@pytest.fixture
def in_hand(account: Account, make_post: MakePost, clock: Clock) -> list[Post]:
    """Posts of the account that a run has claimed: one fewer than plenty."""
    claimed = {"claimed_by": "run", "claimed_until": clock() + 15 * MINUTE}
    return [make_post(account, **claimed) for _ in range(PLENTY - 1)]


@pytest.fixture
def last_in_hand(account: Account, make_post: MakePost, in_hand: list[Post], clock: Clock) -> Post:
    """The one that makes it plenty."""
    return make_post(account, claimed_by="run", claimed_until=clock() + 15 * MINUTE)


@pytest.mark.usefixtures("in_hand")
def test_an_account_with_little_in_hand_wakes_the_next_run(
    workspace: Workspace, account: Account, make_post: MakePost, drop: Callable[..., Path]
) -> None:
    post = make_post(account)
    drop(account, "new.mp4")
    assert f"post:{post.id}" in waiting_work(workspace)
    assert len(waiting_work(workspace)) == 2


@pytest.mark.parametrize("step", ["begun", "given back", "put off"])
def test_while_plenty_is_in_hand_an_accounts_next_posts_and_files_wait(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    last_in_hand: Post,
    clock: Clock,
    step: str,
) -> None:
    steps: dict[str, dict[str, Any]] = {
        "begun": {"state": PostState.UPLOADING, "lease_until": clock() + MINUTE},
        "given back": {"claimed_by": None, "claimed_until": None},
        "put off": {"due_at": clock() + DAY},
    }
    waits = {f"post:{make_post(account).id}"}
    waits.add(f"inbox:acme/new.mp4:{identity_of(drop(account, 'new.mp4').stat())}")
    assert waiting_work(workspace) == frozenset()
    change_post(workspace, last_in_hand.id, **steps[step])
    assert waiting_work(workspace) - {f"post:{last_in_hand.id}"} == waits


@pytest.mark.usefixtures("last_in_hand")
def test_an_account_with_nothing_in_hand_waits_for_no_others(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    drop: Callable[..., Path],
) -> None:
    make_post(account)
    drop(account, "waits.mp4")
    newcomer = make_account("newcomer")
    post = make_post(newcomer)
    identity = identity_of(drop(newcomer, "new.mp4").stat())
    assert waiting_work(workspace) == {f"post:{post.id}", f"inbox:newcomer/new.mp4:{identity}"}


@pytest.mark.usefixtures("last_in_hand")
def test_uploads_that_stopped_wake_a_run_all_the_same(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    lapsed = {"lease_owner": "x", "lease_until": clock()}
    stalled = make_post(account, state=PostState.UPLOADING, **lapsed)
    interrupted = make_post(account, state=PostState.COMMITTING, **lapsed)
    make_publication(workspace, interrupted, url_expires_at=clock() + MINUTE)
    assert waiting_work(workspace) == {f"post:{stalled.id}", f"post:{interrupted.id}"}


@pytest.mark.usefixtures("last_in_hand")
def test_what_runs_have_in_hand_lapses_with_their_claims(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    make_post(account)
    clock.advance(15 * MINUTE)
    assert len(waiting_work(workspace)) == PLENTY + 1


def test_with_large_batches_half_a_batch_is_plenty(tmp_path: Path, clock: Clock) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=2 * (PLENTY + 1))
    account = factories.make_account(workspace, "acme")
    claimed = {"claimed_by": "run", "claimed_until": clock() + MINUTE}
    for _ in range(PLENTY):
        factories.make_post(workspace, account, **claimed)
    due = factories.make_post(workspace, account)
    assert waiting_work(workspace) == {f"post:{due.id}"}
    factories.make_post(workspace, account, **claimed)
    assert waiting_work(workspace) == frozenset()


@pytest.mark.usefixtures("last_in_hand")
def test_a_run_takes_the_posts_of_accounts_with_nothing_in_hand(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    make_post(account)
    newcomers = [make_post(make_account("newcomer")).id]
    assert take(workspace, clock) == newcomers
    assert take(workspace, clock) == newcomers  # cleared


def test_what_a_run_has_itself_holds_it_back_from_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, drop: Callable[..., Path],
    clock: Clock,
) -> None:  # fmt: skip
    due = [make_post(account).id for _ in range(PLENTY)]
    drop(account, "new.mp4")
    taken = take(workspace, clock)
    assert taken[:-1] == due
    assert factories.read_post(workspace, taken[-1]).media.file_name == "new.mp4"


@pytest.mark.parametrize(("accounts", "taken"), [(1, 50), (2, 25), (25, 2), (26, 0), (50, 0)])
def test_an_account_adds_no_more_than_the_others_have_on_average(
    tmp_path: Path, clock: Clock, accounts: int, taken: int
) -> None:
    workspace = factories.open_workspace(tmp_path, clock)
    claimed = {"claimed_by": "run", "claimed_until": clock() + MINUTE}
    busy = [factories.make_account(workspace, f"busy-{number}") for number in range(accounts)]
    for number in range(PLENTY):
        factories.make_post(workspace, busy[number % accounts], **claimed)
    newcomer = factories.make_account(workspace, "newcomer")
    factories.drop(workspace, newcomer, "new.mp4")
    assert len(waiting_work(workspace)) == bool(taken)
    due = [factories.make_post(workspace, newcomer).id for _ in range(60)]
    assert take(workspace, clock) == due[:taken]


def test_of_files_that_a_run_registers_in_a_backlog_it_takes_the_newcomers(
    workspace: Workspace,
    account: Account,
    make_account: Callable[..., Account],
    drop: Callable[..., Path],
    last_in_hand: Post,
    clock: Clock,
) -> None:
    newcomer = make_account("newcomer")
    for one in (account, newcomer):
        drop(one, "new.mp4", one.name.encode())
    (taken,) = take(workspace, clock)
    assert factories.read_post(workspace, taken).account_id == newcomer.id
    assert waiting_work(workspace) == frozenset()
    for post_id in (last_in_hand.id, taken):
        begun = {"state": PostState.UPLOADING, "lease_until": clock() + MINUTE}
        change_post(workspace, post_id, **begun)
    (left,) = take(workspace, clock, "the one after")
    assert factories.read_post(workspace, left).media.file_name == "new.mp4"


@pytest.mark.usefixtures("last_in_hand")
def test_a_backfill_takes_its_day_whatever_is_in_hand(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    day = clock() - DAY
    missed = make_post(account, state=PostState.MISSED, publish_at=day, due_at=day)
    run = BackfillRun("backfill", day, clock())
    found = find_new_uploads(workspace, run, actor=ACTOR)
    assert [post.post_id for post in found] == [missed.id]


def test_a_run_registers_the_files_of_idle_accounts_before_all_others(
    tmp_path: Path, clock: Clock
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, batch_size=1)
    busy, idle = (factories.make_account(workspace, name) for name in ("acme", "zeta"))
    factories.make_post(workspace, busy, claimed_by="run", claimed_until=clock() + MINUTE)
    for account in (busy, idle):
        factories.drop(workspace, account, "new.mp4", account.name.encode())
    run = NormalRun("next", clock(), DAY)
    (found,) = find_new_uploads(workspace, run, actor=ACTOR)
    assert factories.read_post(workspace, found.post_id).account.name == "zeta"
