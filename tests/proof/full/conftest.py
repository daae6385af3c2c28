"""The one stack of all cases of the full form: each case mends what the one before it broke."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.postgresql import PostgresqlServer
from tests.proof.stack import ACCOUNTS, ProofStack, open_proof_stack
from tiktok_simulator.accounts import make_accounts

#: How many posts are due at once where a backlog is played; `make proof-backlog` asks for 1,025.
DUE = int(os.environ.get("PROOF_DUE_POSTS", "41"))
#: As many as keep to TikTok's six inits a minute and account.
POSTS_AN_ACCOUNT = 5


@pytest.fixture(scope="session")
def stack(
    postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProofStack]:
    count = max(len(ACCOUNTS), -(-DUE // POSTS_AN_ACCOUNT))
    names = [one.username for one in make_accounts(count=count)]
    folder = tmp_path_factory.mktemp("proof")
    with open_proof_stack(folder, postgresql_server, account_names=names) as stack:
        yield stack
