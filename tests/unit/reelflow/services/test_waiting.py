"""What wakes a run: due posts and new files, unless their account has plenty in hand."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.waiting import waiting_work
from reelflow.services.workspace import Workspace
from reelflow.source import identity_of
from tests import factories
from tests.factories import ACTOR, Clock, change_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: So many posts in hand are plenty for the usual batch of 100.
PLENTY = 50


@pytest.fixture
def in_hand(account: Account, make_post: MakePost, clock: Clock) -> list[Post]:
    """Posts of the account that a run has claimed: one fewer than plenty."""
    claimed = {"claimed_by": "run", "claimed_until": clock() + 15 * MINUTE}
    return [make_post(account, **claimed) for _ in range(PLENTY - 1)]


@pytest.fixture
def last_in_hand(account: Account, make_post: MakePost, in_hand: list[Post], clock: Clock) -> Post:
    """The one that makes it plenty."""
    return make_post(account, claimed_by="run", claimed_until=clock() + 15 * MINUTE)


@pytest.mark.parametrize("state", [state for state in PostState if state is not PostState.READY])
def test_posts_that_wait_for_a_person_or_for_tiktok_wake_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    lease = {"lease_owner": "x", "lease_until": clock() + MINUTE}
    make_post(account, state=state, **(lease if state is PostState.UPLOADING else {}))
    assert waiting_work(workspace) == frozenset()


def test_future_claimed_and_too_late_posts_wake_nothing_and_due_ones_and_files_do(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    drop: Callable[..., Path],
    clock: Clock,
) -> None:
    make_post(account, due_at=clock() + MINUTE)
    make_post(account, due_at=clock() - DAY)
    claimed = make_post(account, claimed_by="run", claimed_until=clock() + MINUTE)
    assert waiting_work(workspace) == frozenset()
    identity = identity_of(drop(account, "new.mp4").stat())
    due = make_post(account)
    assert waiting_work(workspace) == {f"post:{due.id}", f"inbox:acme/new.mp4:{identity}"}
    clock.advance(MINUTE)
    assert f"post:{claimed.id}" in waiting_work(workspace)


@pytest.mark.usefixtures("in_hand")
def test_an_account_with_little_in_hand_wakes_the_next_run(
    workspace: Workspace, account: Account, make_post: MakePost, drop: Callable[..., Path]
) -> None:
    post = make_post(account)
    drop(account, "new.mp4")
    assert f"post:{post.id}" in waiting_work(workspace)
    assert len(waiting_work(workspace)) == 2


@pytest.mark.parametrize("step", ["sent", "given back", "put off"])
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
        "sent": {"state": PostState.PROCESSING},
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
def test_an_upload_that_was_begun_never_waits(
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
