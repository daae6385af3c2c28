"""What to do when TikTok published a publication that was given up: the post is published."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from reelflow.domain.post import DONE, UNKEYED, PostState
from reelflow.domain.publication import BEFORE_LAST_BYTE, PublicationState
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.intake.duplicates import told_of

log = logging.getLogger(__name__)

#: It may publish, or did.
_MAY_PUBLISH = frozenset(
    {PublicationState.COMMITTING, PublicationState.SENT, PublicationState.DONE}
)


def take_as_published(
    session: Session,
    post: Post,
    publication: Publication,
    target: PostState,
    *,
    now: datetime,
    actor: str,
    why: str,
) -> None:
    """Move a post to where a publication that was given up has brought it; stop its upload.

    A post that is done already stays as it is, and so does one whose bytes another post holds by
    now; the audit trail and the log then say that the bytes may be on TikTok twice.

    :param post: locked by the caller's transaction
    :param target: PUBLISHED or PUBLISHED_NO_LINK
    """
    publications.move(session, publication, PublicationState.DONE, now=now, actor=actor, why=why)
    current = publications.current(session, post.id)
    if current is publication:  # it had failed, and nothing has taken its place
        current = None
    twin = posts.key_holder(session, post) if post.state in UNKEYED else None
    if twin is not None:
        trouble = f"{told_of(twin, to=post)} has the same bytes"
        _alert(session, post, publication, trouble, now, actor)
    elif current is not None and current.state in _MAY_PUBLISH:
        trouble = f"publication {current.ordinal} was already {current.state}"
        _alert(session, post, publication, trouble, now, actor)
    if twin is not None or post.state in DONE:
        return
    posts.end_lease(post)
    if current is not None:
        if current.state in BEFORE_LAST_BYTE | {PublicationState.COMMITTING}:
            superseded = PublicationState.SUPERSEDED
            publications.move(session, current, superseded, now=now, actor=actor, why=why)
        current.is_current = False
        session.flush()
    publication.is_current = True
    posts.move(
        session, post.id, target, now=now, actor=actor, why=why, publication_id=publication.id
    )


def _alert(
    session: Session, post: Post, publication: Publication, trouble: str, now: datetime, actor: str
) -> None:
    why = (
        f"post {post.id} may be on TikTok twice: its publication {publication.ordinal} was given "
        f"up and published all the same, while {trouble}. Look at {post.account.name} in the "
        "TikTok app and delete what is there twice"
    )
    log.error("%s", why)
    audit.record(
        session, post_id=post.id, at=now, actor=actor, why=why, publication_id=publication.id
    )
