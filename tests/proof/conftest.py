"""The stack of the proof's short form; the full form has one of its own and is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ends_on_sigterm
from tests.postgresql import PostgresqlServer
from tests.proof.play import Play
from tests.proof.stack import ACCOUNTS, ProofStack, open_proof_stack

__all__ = ["ends_on_sigterm"]

#: `make proof` asks for the cases that take an hour and more.
collect_ignore_glob = [] if os.environ.get("PROOF") else ["full/*"]


# Of a module, not of the session: it would run on, and take its share, beside all other tests.
@pytest.fixture(scope="module")
def stack(
    postgresql_server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProofStack]:
    folder = tmp_path_factory.mktemp("proof")
    with open_proof_stack(
        folder, postgresql_server, account_names=ACCOUNTS[:4], dags=["publish_to_tiktok"]
    ) as stack:
        yield stack


@pytest.fixture
def play(stack: ProofStack) -> Play:
    """A case that begins on a stack without posts."""
    play = Play(stack)
    play.begin()
    return play
