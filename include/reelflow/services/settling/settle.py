"""Settling: what a status of TikTok's does to a post, whoever asked for it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, PostState, PrivacyLevel
from reelflow.domain.publication import (
    BEFORE_LAST_BYTE,
    MediaSource,
    PublicationState,
    Settlement,
    settle_status,
)
from reelflow.exceptions import PostNotFoundError, TransientError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.calls import breaker
from reelflow.services.settling.failed_publication import take_failure
from reelflow.services.settling.superseded import take_as_published
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

#: Publications that no longer count, until TikTok says that they are published after all.
_GIVEN_UP = frozenset({PublicationState.SUPERSEDED, PublicationState.FAILED})

_ENDED = frozenset({PublicationState.DONE, PublicationState.FAILED})
#: How much a status says of what ended; one that is not here is of a task under way. What TikTok
#: failed it may still publish, when bytes land late; what it published it does not fail any more.
_FINALITY: Final = {"SEND_TO_USER_INBOX": 1, "FAILED": 2, "PUBLISH_COMPLETE": 3}

_SETTLEABLE = frozenset(
    {
        PostState.COMMITTING,
        PostState.PROCESSING,
        PostState.UNKNOWN,
        PostState.PUBLISHED_NO_LINK,
        PostState.IN_INBOX,
    }
)


def apply_status(
    workspace: Workspace, post_id: int, publish_id: str, status: PublishStatus, *, actor: str
) -> PostState:
    """Write down a status and move the post as far as it proves; doing it twice is harmless.

    :return: the state of the post now
    :raises PostNotFoundError: the post has no publication with this id
    """
    try:
        return _apply(workspace, post_id, publish_id, status, actor=actor)
    except IntegrityError:
        # The bytes of a post that had ended became another post between our look and our write.
        return _apply(workspace, post_id, publish_id, status, actor=actor)


def _apply(
    workspace: Workspace, post_id: int, publish_id: str, status: PublishStatus, *, actor: str
) -> PostState:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        publication = publications.with_publish_id(session, post_id, publish_id)
        if publication is None:
            raise PostNotFoundError(f"post {post_id} has no publication {publish_id}")
        was_complete = publication.state is PublicationState.SENT
        publication.tiktok_status_at = now
        if not _is_old_news(publication, status):
            publication.tiktok_status = status.status[:64]
            publication.fail_reason = status.fail_reason and status.fail_reason[:128]
        _take_link(session, publication, status, now=now, actor=actor)
        settlement = settle_status(
            status.status,
            mode=post.mode,
            size_bytes=publication.size_bytes,
            uploaded_bytes=status.uploaded_bytes,
            has_post_id=bool(status.post_ids),
        )
        if publication.is_current and post.state in _SETTLEABLE:
            _settle(session, post, publication, settlement, workspace=workspace, actor=actor)
        elif publication.state in _GIVEN_UP | BEFORE_LAST_BYTE and settlement.is_published:
            assert settlement.post_state is not None
            if publication.state in BEFORE_LAST_BYTE:  # in a ledger restored from a backup
                why = "TikTok has all its bytes, though they were not sent by what is written here"
                superseded = PublicationState.SUPERSEDED
                publications.move(session, publication, superseded, now=now, actor=actor, why=why)
            take_as_published(
                session,
                post,
                publication,
                settlement.post_state,
                now=now,
                actor=actor,
                why=_said(post, publication),
            )
    if was_complete and publication.state is PublicationState.FAILED:
        _tell_breaker(workspace, post, publication)
    return post.state


def _is_old_news(publication: Publication, status: PublishStatus) -> bool:
    """Whether TikTok said more already: webhooks and answers may come late, and in any order."""
    known = _FINALITY.get(publication.tiktok_status or "", 0)
    return publication.state in _ENDED and _FINALITY.get(status.status, 0) < known


def _take_link(
    session: Session, publication: Publication, status: PublishStatus, *, now: datetime, actor: str
) -> None:
    """Write down the post's id at TikTok; a draft that its creator posts again has another."""
    known = publication.tiktok_post_id
    if not status.post_ids or known in status.post_ids:
        return
    publication.tiktok_post_id = status.post_ids[0]
    if known:
        audit.record(
            session,
            post_id=publication.post_id,
            publication_id=publication.id,
            at=now,
            actor=actor,
            why=f"TikTok names {status.post_ids[0]} as its post, where it named {known} before",
        )


def _tell_breaker(workspace: Workspace, post: Post, publication: Publication) -> None:
    """Count a fault of TikTok's own in what it had in full, once: it may have them everywhere.

    An upload that lacks bytes ends with the same word when its URL's hour is over; that is no
    fault of TikTok's.
    """
    if publication.fail_reason != breaker.FAILED_LATER:
        return
    try:
        breaker.record_failure(workspace, post.account_id, breaker.FAILED_LATER, is_of_init=False)
    except TransientError as exc:  # the post is settled, and other failures will be counted
        log.warning("the breaker was not told of post %d: %s", post.id, exc)


def _settle(
    session: Session,
    post: Post,
    publication: Publication,
    settlement: Settlement,
    *,
    workspace: Workspace,
    actor: str,
) -> None:
    now = workspace.ledger.now()
    target = settlement.post_state
    if target is None:
        why = _all_is_there(publication, settlement)
        if post.state is PostState.COMMITTING and why is not None:
            _advance(session, publication, PublicationState.SENT, workspace, actor, why)
            posts.move(session, post.id, PostState.PROCESSING, now=now, actor=actor, why=why)
        return
    if target is post.state or _goes_back(post, target):
        return
    if target is PostState.FAILED:
        rules = workspace.rules
        take_failure(session, post, publication, rules=rules, now=now, actor=actor)
        return
    why = _said(post, publication)
    _advance(session, publication, PublicationState.DONE, workspace, actor, why)
    posts.move(
        session, post.id, target, now=now, actor=actor, why=why, publication_id=publication.id
    )


def _all_is_there(publication: Publication, settlement: Settlement) -> str | None:
    """Return why nothing more needs to be sent, or None while TikTok does not say so."""
    if settlement.all_bytes_held:
        return "TikTok says that it has every byte"
    if publication.source is MediaSource.PULL_FROM_URL:
        return "TikTok fetches and processes the post"
    return None


def _goes_back(post: Post, target: PostState) -> bool:
    """Whether a late or repeated answer says less than what is known already."""
    return post.state in DONE and target is not PostState.PUBLISHED


def _said(post: Post, publication: Publication) -> str:
    if publication.tiktok_status == "SEND_TO_USER_INBOX":
        return "TikTok delivered the draft to the creator's inbox"
    if publication.tiktok_post_id:
        return f"TikTok published it as {publication.tiktok_post_id}"
    if post.privacy_level == PrivacyLevel.PUBLIC_TO_EVERYONE:
        return "TikTok published it and gave no link yet"
    return "TikTok published it; only public posts get a link"


def _advance(
    session: Session,
    publication: Publication,
    to: PublicationState,
    workspace: Workspace,
    actor: str,
    why: str,
) -> None:
    if publication.state is not to:
        now = workspace.ledger.now()
        publications.move(session, publication, to, now=now, actor=actor, why=why)
