"""Files on their way out of the inbox, beside what other runs do; more in test_register.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.services.intake.register import register_inbox
from tests import factories
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, read_post


def test_a_held_post_whose_bytes_become_another_post_meanwhile_is_registered_without_its_key(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace, inbox_privacy_level=None)
    factories.drop(workspace, account, "clip.mp4", b"same")

    def post_the_same() -> None:
        factories.make_post(workspace, account, content=b"same")

    with before_statement(workspace, "UPDATE posts SET sha256", post_the_same):
        run = NormalRun("run", clock(), timedelta(days=1))
        (held_id,) = register_inbox(workspace, run=run, actor=ACTOR)
    held = read_post(workspace, held_id)
    assert (held.state, held.sha256) == (PostState.HELD, None)
    assert data_folder(workspace).path(held.media.source_path).read_bytes() == b"same"
