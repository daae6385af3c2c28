"""Batches: permanent, in order, each post once a run."""

from collections.abc import Callable

from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def test_posts_keep_their_order_and_are_never_added_twice(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    a, b, c = (make_post(account).id for _ in range(3))
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        batches.append(session, "run", [b, a], now=now)
        batches.append(session, "run", [a, c, b, c], now=now)
        batches.append(session, "other", [c], now=now)
    with workspace.ledger.read() as session:
        assert batches.post_ids(session, "run") == [b, a, c]
        assert batches.post_ids(session, "other") == [c]
        assert batches.post_ids(session, "none") == []
