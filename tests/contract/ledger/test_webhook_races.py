"""The same webhook several times at the same moment: kept once, and nobody is refused."""

from __future__ import annotations

from functools import partial

from sqlalchemy import func, select

from reelflow.ledger import webhook_events
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.workspace import Workspace
from tests.contract.ledger.racing import race
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def keep(workspace: Workspace, digest: str) -> int:
    now = workspace.ledger.now()
    event = WebhookEvent(
        digest=digest, event="e", open_id="o", publish_id="p", happened_at=now, received_at=now
    )
    with workspace.ledger.write() as session:
        return webhook_events.keep(session, event).id


def test_of_one_event_that_comes_many_times_at_once_one_is_kept(workspace: Workspace) -> None:
    for round_ in range(5):
        answers = race([partial(keep, workspace, f"digest-{round_}")] * 4)
        assert len(set(answers)) == 1
        assert isinstance(answers[0], int)
    with workspace.ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(WebhookEvent)) == 5
