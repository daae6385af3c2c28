"""The fair batch against a plain model of it: a turn through all accounts after the other."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.domain.schedule import NormalRun
from reelflow.ledger.fair_batch import Share, fair_batch
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests import factories
from tests.factories import Clock, forget_posts

ACCOUNTS = 4
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Workspace:
    """One ledger for all examples."""
    folder: Path = tmp_path_factory.mktemp("ledger")
    return factories.open_workspace(folder, clock)


@pytest.fixture(scope="module")
def accounts(workspace: Workspace) -> list[Account]:
    return [factories.make_account(workspace, f"account-{n}") for n in range(ACCOUNTS)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    due=st.lists(st.tuples(st.integers(0, ACCOUNTS - 1), st.integers(0, 5)), max_size=14),
    busy=st.sets(st.integers(0, ACCOUNTS - 1)),
    left_out=st.sets(st.integers(0, ACCOUNTS - 1)),
    most_each=st.integers(0, 9),
    limit=st.integers(1, 12),
)
def test_every_account_has_its_turn_however_much_another_has(
    workspace: Workspace,
    accounts: list[Account],
    clock: Clock,
    due: list[tuple[int, int]],
    busy: set[int],
    left_out: set[int],
    most_each: int,
    limit: int,
) -> None:
    """Each post is an account's number, and for how many minutes it has been due.

    :param busy: the accounts of which another run has a post in hand
    """
    forget_posts(workspace)
    of_account: defaultdict[int, list[tuple[timedelta, int]]] = defaultdict(list)
    claimed = {"claimed_by": "another run", "claimed_until": clock() + MINUTE}
    for number in busy:
        factories.make_post(workspace, accounts[number], **claimed)
    for number, minutes in due:
        post = factories.make_post(workspace, accounts[number], due_at=clock() - minutes * MINUTE)
        of_account[number].append((-minutes * MINUTE, post.id))
    turns = [
        (turn, number in busy, due_at, post_id)
        for number, posts in of_account.items()
        if number not in left_out
        for turn, (due_at, post_id) in enumerate(sorted(posts)[:most_each])
    ]
    expected = [post_id for *_, post_id in sorted(turns)][:limit]
    with workspace.ledger.read() as session:
        taken = fair_batch(
            session,
            NormalRun("run", clock(), DAY),
            now=clock(),
            limit=limit,
            share=Share({accounts[number].name for number in left_out}, most_each),
        )
    assert taken == expected


def test_in_a_turn_an_account_with_nothing_in_hand_goes_before_one_that_has_waited_longer(
    workspace: Workspace, accounts: list[Account], clock: Clock
) -> None:
    forget_posts(workspace)
    busy, idle = accounts[:2]
    claimed = {"claimed_by": "another run", "claimed_until": clock() + MINUTE}
    factories.make_post(workspace, busy, **claimed)
    first, second = (
        factories.make_post(workspace, busy, due_at=clock() - minutes * MINUTE).id
        for minutes in (9, 8)
    )
    newcomers = factories.make_post(workspace, idle, due_at=clock() - MINUTE).id
    with workspace.ledger.read() as session:
        taken = fair_batch(session, NormalRun("run", clock(), DAY), now=clock(), limit=9)
    assert taken == [newcomers, first, second]
