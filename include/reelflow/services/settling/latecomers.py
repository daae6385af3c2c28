"""Publications from which a link, a creator's own step or a surprise may still come."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from reelflow.domain.post import PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import publications
from reelflow.services.settling.inquiry import StatusSource, was_asked
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

#: TikTok says nothing new about what is published or given up more often than this.
ASK_AGAIN: Final = timedelta(hours=1)
#: After this long nothing more is expected of a link, a draft or a given-up publication.
EXPECTED_FOR: Final = timedelta(hours=72)


def ask_about_latecomers(
    workspace: Workspace,
    tiktok: StatusSource,
    settled: dict[int, PostState],
    *,
    actor: str,
    limit: int = 100,
) -> list[int]:
    """Ask about what was not asked about for an hour, and add posts that moved to ``settled``.

    :param limit: most of them that are asked about now, the longest unasked first
    :return: the ids of the posts among them that are published and still have no link
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        found = publications.latecomers(
            session,
            begun_after=now - EXPECTED_FOR,
            asked_before=now - ASK_AGAIN,
            limit=limit,
        )
        due = [(post.id, post.account_id, post.state, one.publish_id) for one, post in found]
    without_link = []
    for post_id, account_id, before, publish_id in due:
        assert publish_id is not None  # those are none
        try:
            status = tiktok.fetch_status(account_id, publish_id)
            state = apply_status(workspace, post_id, publish_id, status, actor=actor)
        except ReelflowError as exc:
            state = before
            _note_silence(workspace, post_id, publish_id, exc)
        if state is not before:
            settled[post_id] = state
        elif state is PostState.PUBLISHED_NO_LINK:
            without_link.append(post_id)
    return without_link


def _note_silence(workspace: Workspace, post_id: int, publish_id: str, exc: ReelflowError) -> None:
    """Let the others have their turn before one of which TikTok says nothing; it keeps its own."""
    log.info("publication %s of post %d: %s", publish_id, post_id, exc)
    if was_asked(exc):
        with workspace.ledger.write() as session:
            publications.asked_in_vain(session, publish_id, now=workspace.ledger.now())
