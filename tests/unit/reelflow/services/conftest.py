"""Fixtures of the services' tests: a post that TikTok works on, and TikTok when it is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.workspace import Workspace
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import AskedTikTok


@pytest.fixture
def tiktok() -> AskedTikTok:
    return AskedTikTok()


@pytest.fixture
def processing(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> Publication:
    """The publication of a post that TikTok has in full and works on."""
    return make_publication(workspace, make_post(account, state=PostState.PROCESSING))
