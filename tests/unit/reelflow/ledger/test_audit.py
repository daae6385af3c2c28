"""The audit trail: in order, a post at a time."""

from collections.abc import Callable

from reelflow.ledger import audit
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace


def test_a_story_is_told_oldest_first_and_of_one_post(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    first, second = make_post(account), make_post(account)
    with workspace.ledger.write() as session:
        for post, why in ((second, "x"), (first, "b"), (first, "a")):
            audit.record(
                session, post_id=post.id, at=workspace.ledger.now(), actor="person:ann", why=why
            )
    with workspace.ledger.read() as session:
        told = audit.story(session, first.id)
    assert [row.why for row in told] == ["made by a test", "b", "a"]
    assert told[-1].actor == "person:ann"
    assert told[-1].from_state is None
