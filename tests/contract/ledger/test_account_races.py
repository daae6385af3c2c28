"""Accounts that are connected at the same moment: one row each, and one owner of a name."""

from __future__ import annotations

from functools import partial

from reelflow.exceptions import ConfigurationError
from reelflow.ledger import accounts
from reelflow.ledger.accounts import TokenSet
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def save(workspace: Workspace, open_id: str, name: str) -> int:
    ledger = workspace.ledger
    with ledger.write() as session:
        return accounts.save(
            session,
            ledger.cipher,
            open_id=open_id,
            name=name,
            tokens=TokenSet("act.token"),
            now=ledger.now(),
        ).id


def test_an_account_that_is_connected_many_times_at_once_is_one(workspace: Workspace) -> None:
    for round_ in range(5):
        answers = race([partial(save, workspace, f"open-{round_}", f"name-{round_}")] * 4)
        assert len(set(answers)) == 1
        assert isinstance(answers[0], int)


def test_of_accounts_that_take_one_name_at_once_one_has_it_and_the_others_are_told(
    workspace: Workspace,
) -> None:
    for round_ in range(5):
        answers = race(
            [partial(save, workspace, f"open-{round_}-{n}", f"name-{round_}") for n in range(4)]
        )
        assert [answer for answer in answers if isinstance(answer, int)] != []
        assert answers.count(ConfigurationError) == 3
