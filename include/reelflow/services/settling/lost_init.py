"""Pulls whose init was not answered: TikTok may have opened one, under an id that we never saw."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource
from reelflow.ledger import audit, posts, publications, webhook_events
from reelflow.ledger.models import Post, Publication
from reelflow.services.settling.webhooks import apply_waiting
from reelflow.services.workspace import PublishingRules, Workspace

#: Why a post is UNKNOWN whose init was not answered.
INIT_ANSWER_LOST: Final = "init_answer_lost"

#: What the publish_id of a pull begins with (observed,
#: https://github.com/gitroomhq/postiz-app/issues/1470); an upload's never does.
_PREFIXES: Final = {
    (PostKind.VIDEO, PostMode.DIRECT): "v_pub_url~",
    (PostKind.VIDEO, PostMode.DRAFT): "v_inbox_url~",
    (PostKind.PHOTO, PostMode.DIRECT): "p_pub_url~",
    (PostKind.PHOTO, PostMode.DRAFT): "p_inbox_url~",
}
#: Events that come soon after an init, and once. That a post became public or is not any more can
#: be said of one that is long settled.
_FIRST_NEWS: Final = (
    "post.publish.complete",
    "post.publish.failed",
    "post.publish.inbox_delivered",
)
#: TikTok's clock against ours, and its whole seconds.
_CLOCK_SLACK: Final = timedelta(minutes=5)
#: How long after an init TikTok may first speak of it.
_SPEAKS_WITHIN: Final = timedelta(hours=72)


def adopt_publish_id(workspace: Workspace, post_id: int, *, actor: str) -> str | None:
    """Give a post the publish task that a webhook spoke of, if it can be no other post's.

    TikTok tells an app of its own tasks only. One that the ledger never saw is an init whose answer
    was lost; when the account has lost one answer to such an init, they belong together.

    :return: the id, or None while it is not certain
    """
    publish_id = _adopt(workspace, post_id, actor=actor)
    if publish_id is not None:
        apply_waiting(workspace, publish_id, actor=actor)
    return publish_id


def _adopt(workspace: Workspace, post_id: int, *, actor: str) -> str | None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        publication = publications.current(session, post_id)
        if publication is None or posts.is_leased(post, now=now):
            return None  # while it is leased, the answer may be on its way
        if publication.publish_id is not None:  # somebody else was faster
            return publication.publish_id
        publish_id = _only_one(session, post, publication)
        if publish_id is None:
            return None
        publication.publish_id = publish_id
        audit.record(
            session,
            post_id=post_id,
            publication_id=publication.id,
            at=now,
            actor=actor,
            why=f"TikTok spoke of {publish_id}, which is the init of this post whose answer was "
            "lost",
        )
        return publish_id


def _only_one(session: Session, post: Post, publication: Publication) -> str | None:
    """Return the id that is this publication's, if there is one such id and one such init."""
    prefix = _PREFIXES[post.kind, post.mode]
    earliest = publication.created_at - _CLOCK_SLACK
    fitting = _spoken_of(session, post, prefix, since=earliest)
    if len(fitting) != 1:
        return None
    unanswered = publications.unanswered_pulls(
        session, account_id=post.account_id, begun_after=earliest - _SPEAKS_WITHIN
    )
    alike = [one for one, kind, mode in unanswered if _PREFIXES[kind, mode] == prefix]
    # Read again: one that was answered between the two is neither unanswered nor unknown now.
    if alike == [publication.id] and fitting == _spoken_of(session, post, prefix, since=earliest):
        return fitting[0]
    return None


def _spoken_of(session: Session, post: Post, prefix: str, *, since: datetime) -> list[str]:
    unknown = webhook_events.unknown_publish_ids(
        session, open_id=post.account.open_id, kinds=_FIRST_NEWS, since=since
    )
    return [publish_id for publish_id in unknown if publish_id.startswith(prefix)]


def give_up_lost_init(workspace: Workspace, post_id: int, *, actor: str) -> PostState:
    """Make a post UNKNOWN whose pull was begun and never answered, unless somebody holds it.

    :return: the state that the post has now
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        publication = publications.current(session, post_id)
        answered = publication is not None and publication.publish_id is not None
        if (
            post.state is PostState.COMMITTING
            and not answered
            and not posts.is_leased(post, now=now)
        ):
            posts.move(
                session,
                post_id,
                PostState.UNKNOWN,
                now=now,
                actor=actor,
                why="TikTok was asked to fetch the post and its answer was lost",
                code=INIT_ANSWER_LOST,
                fix=resolve_fix(
                    post, missing_from=missing_for_sure_from(publication, workspace.rules)
                ),
            )
        return post.state


def missing_for_sure_from(
    publication: Publication | None, rules: PublishingRules
) -> datetime | None:
    """Return from when on a post that is not on TikTok yet will not come any more.

    :return: when TikTok can fetch a pull no more, UTC; None where there is nothing to wait for
    """
    if publication is None or publication.source is not MediaSource.PULL_FROM_URL:
        return None
    return publication.created_at + rules.public_url_lifetime


def resolve_fix(post: Post, *, missing_from: datetime | None = None) -> str:
    """Return what a person does about an UNKNOWN post.

    :param missing_from: as :func:`missing_for_sure_from` gives it
    """
    where = "in the inbox of" if post.mode is PostMode.DRAFT else "on"
    missing = f"or, if it is not there {after_minute(missing_from)}," if missing_from else "or"
    return (
        f"look whether it is {where} {post.account.name} in the TikTok app, then tell: `reelflow "
        f"posts resolve {post.id} --published` {missing} `--not-published`; Reelflow never posts "
        "it again by itself"
    )


def after_minute(at: datetime) -> str:
    """Return "after" the first whole minute that is not before a time."""
    whole = at + timedelta(minutes=1) - timedelta.resolution
    return f"after {whole:%Y-%m-%d %H:%M} UTC"
