"""Posts that TikTok is still to say a word about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reelflow.domain.post import PostState
from reelflow.ledger import unsettled_posts
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def test_unsettled_are_sent_posts_that_no_other_run_and_no_upload_holds(
    workspace: Workspace, account: Account, make_post: Callable[..., Post], clock: Clock
) -> None:
    later = clock() + timedelta(minutes=1)
    committing = make_post(account, state=PostState.COMMITTING)
    processing = make_post(account, state=PostState.PROCESSING, lease_until=clock())
    make_post(account, state=PostState.COMMITTING, lease_until=later)
    claimed = make_post(account, state=PostState.PROCESSING, claimed_by="r", claimed_until=later)
    unknown = make_post(account, state=PostState.UNKNOWN)
    free = [committing.id, processing.id, unknown.id]
    with workspace.ledger.read() as session:
        for run_id in (None, "another"):
            found = unsettled_posts.unheld(session, now=clock(), run_id=run_id)
            assert sorted(one.post_id for one in found) == free
        found = unsettled_posts.unheld(session, now=clock(), run_id="r")
    assert sorted(one.post_id for one in found) == sorted([*free, claimed.id])
