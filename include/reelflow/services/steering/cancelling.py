"""Stopping a post that TikTok has already: TikTok is asked, and only its word moves the post."""

from __future__ import annotations

import logging
from typing import Protocol

from reelflow.domain.post import PAST_LAST_BYTE, PersonCommand, check_command
from reelflow.exceptions import IllegalTransitionError, ReelflowError, TikTokRejectedError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post
from reelflow.services.settling.inquiry import StatusSource
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering.commands import cancel
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)


class Canceller(StatusSource, Protocol):
    """What is asked of TikTok, account by account."""

    def cancel(self, account_id: int, publish_id: str) -> None:
        """Ask to stop a publish task; only its status says whether that came true."""


def is_past_last_byte(workspace: Workspace, post_id: int) -> bool:
    """Whether cancelling a post needs TikTok.

    :raises PostNotFoundError: no post has this id
    """
    with workspace.ledger.read() as session:
        return posts.get(session, post_id).state in PAST_LAST_BYTE


def ask_to_cancel(workspace: Workspace, tiktok: Canceller, post_id: int, *, actor: str) -> Post:
    """Ask TikTok to stop a post past its last byte, and write down what it says then.

    TikTok documents it for pulls that still download, as best effort
    (content-posting-api-media-transfer-guide, read 2026-09-11). A post that it stops becomes
    FAILED(publish_cancelled), now or when it is settled; one that it fails otherwise meanwhile is
    not tried again by itself. One that turns out to be before its last byte is CANCELLED.

    :raises IllegalTransitionError: the post ended already, or its publish_id is not known
    :raises TikTokRejectedError: it is too late to stop it; code ``publish_not_cancellable``
    :raises TransientError: TikTok could not be asked, or did not answer; ask again
    """
    publish_id = _remember_request(workspace, post_id, actor=actor)
    if publish_id is None:
        return cancel(workspace, post_id, actor=actor)
    with workspace.ledger.read() as session:
        account_id = posts.get(session, post_id).account_id
    try:
        tiktok.cancel(account_id, publish_id)
    except TikTokRejectedError as exc:
        _note(workspace, post_id, actor=actor, why=f"TikTok does not cancel it: {exc}")
        _settle(workspace, tiktok, account_id, post_id, publish_id, actor=actor)
        raise
    _note(workspace, post_id, actor=actor, why="TikTok took the request to cancel it")
    _settle(workspace, tiktok, account_id, post_id, publish_id, actor=actor)
    with workspace.ledger.read() as session:
        return posts.get(session, post_id)


def _remember_request(workspace: Workspace, post_id: int, *, actor: str) -> str | None:
    """Write the wish down before TikTok is asked, so that no machine posts it again meanwhile.

    :return: what to cancel; None if TikTok need not be asked, because the post moved meanwhile
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        check_command(PersonCommand.CANCEL, post.state)
        if post.state not in PAST_LAST_BYTE:
            return None
        publication = publications.current(session, post_id)
        if publication is None or publication.publish_id is None:
            raise IllegalTransitionError(
                f"post {post_id} is {post.state} and its publish_id is not known, so TikTok cannot "
                "be asked to stop it: `reelflow reconcile` settles it as far as can be"
            )
        post.cancel_requested_at = now
        audit.record(
            session, post_id=post_id, at=now, actor=actor, why="TikTok is asked to cancel it"
        )
        return publication.publish_id


def _settle(
    workspace: Workspace,
    tiktok: StatusSource,
    account_id: int,
    post_id: int,
    publish_id: str,
    *,
    actor: str,
) -> None:
    """Take TikTok's word if it gives it now; else the next run asks for it."""
    try:
        status = tiktok.fetch_status(account_id, publish_id)
        apply_status(workspace, post_id, publish_id, status, actor=actor)
    except ReelflowError as exc:
        log.info("post %d is settled by the next run: %s", post_id, exc)


def _note(workspace: Workspace, post_id: int, *, actor: str, why: str) -> None:
    with workspace.ledger.write() as session:
        audit.record(session, post_id=post_id, at=workspace.ledger.now(), actor=actor, why=why)
