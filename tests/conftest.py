"""Fixtures for what works on a ledger and a data folder; see factories.py for their details."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories


@pytest.fixture
def clock() -> factories.Clock:
    """A clock that moves only when told to; the ledger's own."""
    return factories.Clock()


@pytest.fixture
def workspace(tmp_path: Path, clock: factories.Clock) -> Workspace:
    """A migrated SQLite ledger and a data folder of this test's own."""
    return factories.open_workspace(tmp_path, clock)


@pytest.fixture
def make_account(workspace: Workspace) -> Callable[..., Account]:
    return partial(factories.make_account, workspace)


@pytest.fixture
def make_post(workspace: Workspace) -> Callable[..., Post]:
    return partial(factories.make_post, workspace)


@pytest.fixture
def account(make_account: Callable[..., Account]) -> Account:
    """The account ``acme``."""
    return make_account("acme")


@pytest.fixture
def drop(workspace: Workspace) -> Callable[..., Path]:
    return partial(factories.drop, workspace)


@pytest.fixture
def read_post(workspace: Workspace) -> Callable[[int], Post]:
    return partial(factories.read_post, workspace)
