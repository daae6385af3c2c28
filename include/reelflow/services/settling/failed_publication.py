"""What TikTok's FAILED does to a post: another try, a wait, a hold for a person, or the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.schedule import retry_delay
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, reconnect_fix
from reelflow.services.workspace import PublishingRules
from reelflow.tiktok.refusals import explain_failure
from reelflow.tiktok.verdicts import Meaning, Verdict

#: AUTH, too, where the ledger knows of no reason: a consent may have come since, and if none has,
#: the next try finds out and holds the post.
_PASSES_BY_ITSELF: Final = frozenset({Verdict.RETRY, Verdict.LATER, Verdict.AUTH})


def take_failure(
    session: Session,
    post: Post,
    publication: Publication,
    *,
    rules: PublishingRules,
    now: datetime,
    actor: str,
) -> None:
    """Move a post whose current publication TikTok failed.

    What failed is not published and never will be, so another init is safe. An UNKNOWN post is
    none the less for a person: no machine posts it again.

    :param post: locked by the caller's transaction
    """
    meaning = explain_failure(publication.fail_reason)
    code = publication.fail_reason or "failed_without_reason"
    why = f"TikTok failed the post: {code}"
    failed = PublicationState.FAILED
    if publication.state is not failed:
        publications.move(session, publication, failed, now=now, actor=actor, why=why)

    def move(to: PostState, *, code: str = code, fix: str | None = None) -> None:
        posts.move(
            session,
            post.id,
            to,
            now=now,
            actor=actor,
            why=why,
            code=code,
            fix=fix,
            publication_id=publication.id,
        )

    begun = publications.count(session, post.id) - post.publications_forgiven
    lacks_access = meaning.verdict is Verdict.AUTH and post.account.revoked
    if lacks_access and not _is_for_a_person(post):
        move(PostState.READY)
        move(PostState.HELD, code=ACCOUNT_REVOKED, fix=reconnect_fix(post.account.name))
    elif _is_tried_again(post, meaning, begun=begun, rules=rules):
        post.due_at = now + _pause(meaning, begun, rules)
        move(PostState.READY)
        post.rescheduled_because = f"{why}. Next try at {post.due_at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        move(PostState.FAILED, fix=f"{meaning.fix} Then: `reelflow posts retry {post.id}`")


def _is_tried_again(post: Post, meaning: Meaning, *, begun: int, rules: PublishingRules) -> bool:
    return (
        not _is_for_a_person(post)
        and meaning.verdict in _PASSES_BY_ITSELF
        and begun < rules.max_publications
    )


def _is_for_a_person(post: Post) -> bool:
    """Whether no machine may post it again: nobody knew of it, or a person wants it stopped."""
    return post.state is PostState.UNKNOWN or post.cancel_requested_at is not None


def _pause(meaning: Meaning, begun: int, rules: PublishingRules) -> timedelta:
    """Return how long to wait: what TikTok's cap needs, else longer with each publication."""
    if meaning.retry_after_s is not None:
        return timedelta(seconds=meaning.retry_after_s)
    return retry_delay(max(begun, 1), first=rules.first_retry, longest=rules.longest_retry)
