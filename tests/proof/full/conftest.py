"""What cases of the full form share: one stack, which each mends that the one before it broke."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql import PostgresqlServer
from tests.proof.backlog import BACKLOG_ACCOUNTS
from tests.proof.receiver import Receiver, open_receiver
from tests.proof.stack import ACCOUNTS, ProofStack, open_proof_stack
from tiktok_simulator.accounts import make_accounts


@pytest.fixture(scope="session")
def stack(
    postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProofStack]:
    count = max(len(ACCOUNTS), BACKLOG_ACCOUNTS)
    names = [one.username for one in make_accounts(count=count)]
    folder = tmp_path_factory.mktemp("proof")
    with open_proof_stack(folder, postgresql_server, account_names=names) as stack:
        yield stack


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with open_receiver() as receiver:
        yield receiver
