"""Accounts that are connected at the same moment: one row each, and one owner of a name."""

from __future__ import annotations

from functools import partial

from reelflow.exceptions import ConfigurationError
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.factories import make_account
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def connect(workspace: Workspace, name: str, open_id: str) -> int:
    return make_account(workspace, name, open_id=open_id).id


def test_an_account_that_is_connected_many_times_at_once_is_one(workspace: Workspace) -> None:
    for round_ in range(5):
        answers = race([partial(connect, workspace, f"name-{round_}", f"open-{round_}")] * 4)
        assert len(set(answers)) == 1
        assert isinstance(answers[0], int)


def test_of_accounts_that_take_one_name_at_once_one_has_it_and_the_others_are_told(
    workspace: Workspace,
) -> None:
    for round_ in range(5):
        answers = race(
            [partial(connect, workspace, f"name-{round_}", f"open-{round_}-{n}") for n in range(4)]
        )
        assert sum(isinstance(answer, int) for answer in answers) == 1
        assert answers.count(ConfigurationError) == 3
