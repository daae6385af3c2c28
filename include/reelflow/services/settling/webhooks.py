"""What TikTok's webhooks do to the ledger: each is kept once, and applied as soon as it can be.

They come at least once and in any order (webhooks-overview, read 2026-09-11), and what they say
is what a status tells too: both go through
:func:`~reelflow.services.settling.settle.apply_status`, which never takes back what is known.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from reelflow.exceptions import TerminalError, TransientError
from reelflow.ledger import accounts, audit, damage, publications, webhook_events
from reelflow.ledger.models import Account, Post, Publication
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok import webhooks as tiktok
from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

ACTOR: Final = "webhook"

_REMOVED: Final = "authorization.removed"
_NOT_PUBLIC: Final = "post.publish.no_longer_publicaly_available"  # TikTok's spelling
#: The status that means the same as an event.
_STATUSES: Final = {
    "post.publish.complete": "PUBLISH_COMPLETE",
    "post.publish.publicly_available": "PUBLISH_COMPLETE",
    "post.publish.inbox_delivered": "SEND_TO_USER_INBOX",
    "post.publish.failed": "FAILED",
}
#: How long an event about an unknown publication is kept. TikTok sends an event again for 72 hours
#: (webhooks-overview, read 2026-09-11), and a lost init is looked for among those of as long.
KEPT_FOR_STRANGERS: Final = timedelta(days=30)
#: Lengths of the ledger's columns; a longer publish_id cannot be one of ours.
_KIND_MAX_CHARS: Final = 64
_PUBLISH_ID_MAX_CHARS: Final = 64
_POST_ID_MAX_CHARS: Final = 32


def receive(workspace: Workspace, event: tiktok.WebhookEvent, *, actor: str = ACTOR) -> None:
    """Keep an event and do what it says; the same event again does nothing.

    One about a publication that the ledger does not know is kept for :func:`apply_waiting`.

    :param event: of a body that was verified
    :raises TransientError: the ledger cannot be used now; let TikTok send the event again
    """
    now = workspace.ledger.now()
    # Written before the publication is looked up: whoever writes that down looks for events after.
    with workspace.ledger.write() as session:
        kept = webhook_events.keep(session, _row(event, now=now))
    if kept.applied_at is None:
        _apply(workspace, kept, actor=actor)


def apply_waiting(workspace: Workspace, publish_id: str, *, actor: str) -> None:
    """Do what TikTok said of a publication before the ledger knew it; never raises for the ledger.

    What cannot be done now is not lost: TikTok's status says the same.
    """
    try:
        with workspace.ledger.read() as session:
            waiting = webhook_events.waiting_for(session, publish_id)
        for kept in waiting:
            _apply(workspace, kept, actor=actor)
    except (TransientError, *damage.UNREADABLE) as exc:
        log.warning("webhooks about %s are left to status calls: %s", publish_id, exc)


def apply_overdue(workspace: Workspace, *, actor: str) -> None:
    """Do what waits for publications that are known by now, and forget what nobody will ask for.

    A process that dies right after it wrote a publication down leaves its events waiting.

    :raises TransientError: the ledger cannot be used now
    """
    oldest = workspace.ledger.now() - KEPT_FOR_STRANGERS
    with workspace.ledger.read() as session:
        overdue = webhook_events.overdue_publish_ids(session)
    for publish_id in overdue:
        apply_waiting(workspace, publish_id, actor=actor)
    with workspace.ledger.write() as session:
        webhook_events.forget_strangers(session, received_before=oldest)


def _row(event: tiktok.WebhookEvent, *, now: datetime) -> WebhookEvent:
    publish_id = event.publish_id or ""
    return WebhookEvent(
        digest=event.digest,
        event=event.event[:_KIND_MAX_CHARS],
        open_id=event.user_openid,
        publish_id=publish_id if 0 < len(publish_id) <= _PUBLISH_ID_MAX_CHARS else None,
        tiktok_post_id=event.post_id and event.post_id[:_POST_ID_MAX_CHARS],
        reason=event.reason,
        happened_at=event.create_time,
        received_at=now,
    )


def _apply(workspace: Workspace, kept: WebhookEvent, *, actor: str) -> None:
    try:
        outcome = _take_effect(workspace, kept, actor=actor)
    except TerminalError as exc:
        if exc.code == LEDGER_DAMAGED:  # it takes effect when the ledger is mended
            log.error("the webhook %s about %s waits: %s", kept.event, kept.publish_id, exc)
            return
        # It would be the same the next time.
        log.error("the webhook %s about %s changed nothing: %s", kept.event, kept.publish_id, exc)
        outcome = f"it changed nothing: {exc}"
    if outcome is None:
        log.info("the webhook %s waits for publication %s", kept.event, kept.publish_id)
        return
    log.info("webhook %s: %s", kept.event, outcome)
    with workspace.ledger.write() as session:
        stored = session.get_one(WebhookEvent, kept.id)
        webhook_events.mark_applied(stored, outcome, now=workspace.ledger.now())


def _take_effect(workspace: Workspace, kept: WebhookEvent, *, actor: str) -> str | None:
    """Do what an event says; return what became of it, None while its publication is not known."""
    if kept.event == _REMOVED:
        return _end_access(workspace, kept, actor=actor)
    if kept.event not in _STATUSES and kept.event != _NOT_PUBLIC:
        return "events of this kind change nothing here"
    if kept.publish_id is None:
        return "it names no publication"
    with workspace.ledger.read() as session:
        found = publications.by_publish_id(session, kept.publish_id)
        is_superseded = webhook_events.named_later(session, kept)
    if found is None:
        return None
    publication, post = found
    if post.account.open_id != kept.open_id:
        log.warning("a webhook for %s names a publication of another account", kept.open_id)
        return f"publication {kept.publish_id} is not of the account {kept.open_id}"
    if kept.event == _NOT_PUBLIC:
        return _note_not_public(workspace, post, publication, actor=actor)
    if is_superseded:  # a draft is posted again, and of two posts the later counts
        return f"post {post.id} is {post.state}: TikTok has named a later post of it"
    state = apply_status(workspace, post.id, kept.publish_id, _status(kept), actor=actor)
    return f"post {post.id} is {state}"


def _status(kept: WebhookEvent) -> PublishStatus:
    return PublishStatus(
        _STATUSES[kept.event],
        fail_reason=kept.reason,
        post_ids=(kept.tiktok_post_id,) if kept.tiktok_post_id else (),
    )


def _note_not_public(
    workspace: Workspace, post: Post, publication: Publication, *, actor: str
) -> str:
    why = "TikTok says that the post is not public any more"
    with workspace.ledger.write() as session:
        audit.record(
            session,
            post_id=post.id,
            publication_id=publication.id,
            at=workspace.ledger.now(),
            actor=actor,
            why=why,
        )
    return f"post {post.id}: {why}"


def _end_access(workspace: Workspace, kept: WebhookEvent, *, actor: str) -> str:
    """Mark the account revoked, unless it was given other tokens since: then this is old news."""
    with workspace.ledger.read() as session:
        account = accounts.by_open_id(session, kept.open_id)
    if account is None:
        return f"no account here is {kept.open_id}"
    if _has_newer_tokens(account, kept):
        return f"account {account.name} was given other tokens since"
    because = tiktok.REMOVAL_REASONS.get(kept.reason or "0", tiktok.REMOVAL_REASONS["0"])
    held = mark_revoked(
        workspace,
        account.id,
        why=f"TikTok ended it {because}",
        actor=actor,
        token_version=account.token_version,
    )
    return f"account {account.name} is revoked, {len(held)} posts are held"


def _has_newer_tokens(account: Account, kept: WebhookEvent) -> bool:
    """Whether TikTok gave tokens after it ended the access; it tells the time in whole seconds."""
    stored_at = account.tokens_stored_at or account.created_at
    return int(stored_at.timestamp()) > kept.happened_at.timestamp()
