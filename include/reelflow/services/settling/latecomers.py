"""Publications from which a link, a creator's own step or a surprise may still come."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from reelflow.domain.post import PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import publications
from reelflow.ledger.publications import Latecomer
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.calls.rounds import by_turns
from reelflow.services.settling.inquiry import StatusInquiry, StatusSource, was_asked
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.trouble import TROUBLE, trouble_with
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

    In a round of its own, so that no other post of an account, failing each time, comes before.

    :param limit: most of them whose turn it is now
    :return: the ids of the posts among them that are published and still have no link
    """
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        due = publications.latecomers(
            session,
            begun_after=now - EXPECTED_FOR,
            asked_before=now - ASK_AGAIN,
        )
    inquiry, without_link = StatusInquiry(tiktok), []
    for one in by_turns(due, account_of=lambda one: one.account_id)[:limit]:
        state = _ask_about(workspace, inquiry, one, actor=actor)
        if state is not None and state != one.state:
            settled[one.post_id] = state
        elif one.state == PostState.PUBLISHED_NO_LINK:
            without_link.append(one.post_id)
    return without_link


def _ask_about(
    workspace: Workspace, tiktok: StatusSource, one: Latecomer, *, actor: str
) -> PostState | None:
    """Return the state of a publication's post by TikTok's word; None where there is none."""
    try:
        status = tiktok.fetch_status(one.account_id, one.publish_id)
        return apply_status(workspace, one.post_id, one.publish_id, status, actor=actor)
    except TROUBLE as exc:
        _note_silence(workspace, one, trouble_with(workspace, one.post_id, exc))
    return None


def _note_silence(workspace: Workspace, one: Latecomer, exc: ReelflowError) -> None:
    """Let the others have their turn before one of which TikTok says nothing; it keeps its own."""
    is_damaged = exc.code == LEDGER_DAMAGED
    level = logging.ERROR if is_damaged else logging.INFO
    log.log(level, "publication %s of post %d: %s", one.publish_id, one.post_id, exc)
    if is_damaged or was_asked(exc):
        with workspace.ledger.write() as session:
            publications.asked_in_vain(session, one.publish_id, now=workspace.ledger.now())
