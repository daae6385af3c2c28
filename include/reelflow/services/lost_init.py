"""Pulls whose init was not answered: TikTok may have opened one, under an id that we never saw."""

from __future__ import annotations

from typing import Final

from reelflow.domain.post import PostState
from reelflow.ledger import audit, posts, publications, webhook_events
from reelflow.ledger.models import Post
from reelflow.services.webhooks import apply_waiting
from reelflow.services.workspace import Workspace

#: Why a post is UNKNOWN whose init was not answered.
INIT_ANSWER_LOST: Final = "init_answer_lost"


def adopt_publish_id(workspace: Workspace, post_id: int, *, actor: str) -> str | None:
    """Give a post the publish task that a webhook spoke of, if it can be no other post's.

    TikTok tells an app of its own tasks only. One that the ledger never saw is an init whose answer
    was lost; when the account has lost one answer, they belong together.

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
        if publication is None:
            return None
        if publication.publish_id is not None:  # somebody else was faster
            return publication.publish_id
        lost = publications.without_publish_id(session, account_id=post.account_id)
        spoken_of = webhook_events.unknown_publish_ids(
            session, open_id=post.account.open_id, since=publication.created_at
        )
        if len(lost) != 1 or len(spoken_of) != 1:
            return None
        publication.publish_id = spoken_of[0]
        audit.record(
            session,
            post_id=post_id,
            publication_id=publication.id,
            at=now,
            actor=actor,
            why=f"TikTok spoke of {spoken_of[0]}, which is the init of this post whose answer was "
            "lost",
        )
        return spoken_of[0]


def give_up_lost_init(workspace: Workspace, post_id: int, *, actor: str) -> PostState:
    """Make a post UNKNOWN whose pull was begun and never answered, unless somebody holds it."""
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
                fix=resolve_fix(post),
            )
        return post.state


def resolve_fix(post: Post) -> str:
    """Return what a person does about an UNKNOWN post."""
    return (
        f"look whether it is on {post.account.name} in the TikTok app, then tell: `reelflow posts "
        f"resolve {post.id} --published` or `--not-published`; Reelflow never posts it again by "
        "itself"
    )
