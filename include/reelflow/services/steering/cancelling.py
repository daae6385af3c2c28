"""Stopping a post that TikTok has already: TikTok is asked, and only its word moves the post."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from reelflow.domain.post import PAST_LAST_BYTE, PersonCommand, check_command
from reelflow.exceptions import (
    IllegalTransitionError,
    ReelflowError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post
from reelflow.services.settling.inquiry import StatusSource
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering.commands import cancel
from reelflow.services.trouble_told import private_trouble
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

_TOO_LATE: Final = "publish_not_cancellable"


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
    not tried again by itself, also when TikTok says that it is too late. A request that TikTok
    never got, or refused for another reason, changes nothing. One that turns out to be before its
    last byte is CANCELLED.

    :raises IllegalTransitionError: the post ended already, or its publish_id is not known
    :raises TikTokRejectedError: it is too late to stop it; code ``publish_not_cancellable``
    :raises TransientError: TikTok could not be asked, or did not answer; ask again
    """
    request = _remember_request(workspace, post_id, actor=actor)
    if request is None:
        return cancel(workspace, post_id, actor=actor)
    try:
        tiktok.cancel(request.account_id, request.publish_id)
    except TikTokUnavailableError:
        raise  # TikTok may have taken it all the same: the wish stands
    except TikTokRejectedError as exc:
        if exc.code != _TOO_LATE:
            _take_back(workspace, request, exc, actor=actor)
            _settle(workspace, tiktok, request, actor=actor)
            raise
        _note(workspace, post_id, actor=actor, why=f"TikTok does not cancel it: {exc}")
        raise _too_late(_settle(workspace, tiktok, request, actor=actor), exc) from exc
    except ReelflowError as exc:
        _take_back(workspace, request, exc, actor=actor)
        raise
    _note(workspace, post_id, actor=actor, why="TikTok took the request to cancel it")
    return _settle(workspace, tiktok, request, actor=actor)


@dataclass(frozen=True)
class _Request:
    """One wish to cancel.

    :param asked_at: when, as the post remembers it
    :param earlier: when a wish before this one was, if there was one
    """

    post_id: int
    account_id: int
    publish_id: str
    asked_at: datetime
    earlier: datetime | None


def _remember_request(workspace: Workspace, post_id: int, *, actor: str) -> _Request | None:
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
        earlier, post.cancel_requested_at = post.cancel_requested_at, now
        audit.record(
            session, post_id=post_id, at=now, actor=actor, why="TikTok is asked to cancel it"
        )
        return _Request(post_id, post.account_id, publication.publish_id, now, earlier)


def _take_back(workspace: Workspace, request: _Request, exc: ReelflowError, *, actor: str) -> None:
    """Forget a wish that changed nothing at TikTok, so that it changes nothing here either."""
    with workspace.ledger.write() as session:
        post = posts.get(session, request.post_id, lock=True)
        if post.cancel_requested_at == request.asked_at:
            post.cancel_requested_at = request.earlier
        now = workspace.ledger.now()
        audit.record(
            session,
            post_id=request.post_id,
            at=now,
            actor=actor,
            why=f"TikTok was not asked to cancel it, or did not take it: {exc}",
            trouble=private_trouble(exc),
        )


def _too_late(post: Post, exc: TikTokRejectedError) -> TikTokRejectedError:
    """Return the error of a post that TikTok does not stop, by what became of it."""
    became = f"it is {post.state}"
    if post.state in PAST_LAST_BYTE:
        became = (
            "TikTok goes on with it. If it comes out, delete it in the TikTok app; if TikTok fails "
            "it, Reelflow does not post it again by itself"
        )
    return TikTokRejectedError(
        f"TikTok does not cancel post {post.id} ({exc.code}): {became}",
        code=exc.code,
        log_id=exc.log_id,
        http_status=exc.http_status,
    )


def _settle(workspace: Workspace, tiktok: StatusSource, request: _Request, *, actor: str) -> Post:
    """Take TikTok's word if it gives it now, else the next run asks for it; return the post."""
    try:
        status = tiktok.fetch_status(request.account_id, request.publish_id)
        apply_status(workspace, request.post_id, request.publish_id, status, actor=actor)
    except ReelflowError as exc:
        log.info("post %d is settled by the next run: %s", request.post_id, exc)
    with workspace.ledger.read() as session:
        return posts.get(session, request.post_id)


def _note(workspace: Workspace, post_id: int, *, actor: str, why: str) -> None:
    with workspace.ledger.write() as session:
        audit.record(session, post_id=post_id, at=workspace.ledger.now(), actor=actor, why=why)
