"""Posts whose last byte never arrived: what proves it, and sending them again, or not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus

#: Slack on top of the URL's hour and the longest PUT, for clocks that differ.
_CLOCK_SLACK: Final = timedelta(minutes=5)


def proves_incomplete(
    publication: Publication, status: PublishStatus, *, asked_at: datetime, longest_put_s: float
) -> bool:
    """Whether a status proves that the last byte never arrived and never will.

    TikTok must say how many bytes it has, fewer than the file's, at a time when no PUT to the
    expired URL can still be under way. Silence about the bytes proves nothing.

    :param asked_at: the time before TikTok was asked; the answer may be older than its arrival
    :param longest_put_s: how long a PUT of ours can take
    """
    if publication.url_expires_at is None or status.uploaded_bytes is None:
        return False
    safe_from = publication.url_expires_at + timedelta(seconds=longest_put_s) + _CLOCK_SLACK
    return (
        status.status == "PROCESSING_UPLOAD"
        and status.uploaded_bytes < publication.size_bytes
        and asked_at > safe_from
    )


def waits_in_vain(
    publication: Publication, status: PublishStatus, state: PostState, *, asked_at: datetime
) -> bool:
    """Whether TikTok waits for the rest of an upload whose URL has expired.

    Were that news, a post would wait for ever on which TikTok does not work, and which
    :func:`proves_incomplete` does not free for want of a number of bytes.

    :param state: of the post; once TikTok acknowledged every byte, silence about them is no sign
    """
    held, expires_at = status.uploaded_bytes, publication.url_expires_at
    lacks_bytes = state is PostState.COMMITTING if held is None else held < publication.size_bytes
    has_expired = expires_at is not None and asked_at > expires_at
    return status.status == "PROCESSING_UPLOAD" and has_expired and lacks_bytes


def reopen(
    workspace: Workspace, post_id: int, publish_id: str, *, actor: str, fencing_token: int | None
) -> bool:
    """Give up a publication whose last byte provably never arrived: COMMITTING to UPLOADING.

    The proof is about one publication and may be old: while TikTok was asked, another process may
    have begun a newer one, whose last byte may be on its way.

    A post that a person asked to cancel meanwhile is CANCELLED: nothing is sent for it any more.

    :param publish_id: the publication that the proof is about
    :param fencing_token: the caller's lease; None when nobody's lease may be alive
    :return: False when nothing was done, because the proof is not about what is COMMITTING now
    :raises LeaseLostError: a newer lease exists; nothing changed
    """
    now = workspace.ledger.now()
    why = "TikTok holds only a part of the file and the upload URL has expired for good"
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        posts.check_fence(post, fencing_token)
        publication = publications.current(session, post_id)
        if (
            publication is None
            or publication.publish_id != publish_id
            or publication.state is not PublicationState.COMMITTING
            or post.state is not PostState.COMMITTING
            or (fencing_token is None and posts.is_leased(post, now=now))
        ):
            return False
        posts.move(
            session,
            post_id,
            PostState.UPLOADING,
            now=now,
            actor=actor,
            why=why,
            fencing_token=fencing_token,
        )
        publications.move(
            session, publication, PublicationState.SUPERSEDED, now=now, actor=actor, why=why
        )
        if post.cancel_requested_at is not None:
            _cancel_as_asked(session, post, now=now, actor=actor)
    return True


def _cancel_as_asked(session: Session, post: Post, *, now: datetime, actor: str) -> None:
    """Make a post CANCELLED that a person asked to cancel, once TikTok cannot publish it.

    :param post: UPLOADING, locked by the caller's transaction
    """
    posts.move(
        session,
        post.id,
        PostState.CANCELLED,
        now=now,
        actor=actor,
        why=f"cancelled by hand at {post.cancel_requested_at:%Y-%m-%d %H:%M} UTC",
        code="cancelled",
    )
