"""A person's word about an UNKNOWN post: what they saw on the account, in the TikTok app."""

from __future__ import annotations

import re
from typing import Final

from reelflow.domain.post import PersonCommand, PostState, check_command
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post
from reelflow.services.workspace import Workspace

#: Why a post FAILED that a person did not find on TikTok.
NOT_PUBLISHED: Final = "not_published"

_TIKTOK_POST_ID: Final = re.compile(r"[0-9]{8,20}", re.ASCII)


def resolve_published(
    workspace: Workspace, post_id: int, *, actor: str, tiktok_post_id: str | None = None
) -> Post:
    """Settle an UNKNOWN post that a person found on its account.

    :param tiktok_post_id: the digits in the post's address, when it has a public one
    :raises IllegalTransitionError: it is not UNKNOWN, or the id is no id or another post's
    """
    if tiktok_post_id is not None and not _TIKTOK_POST_ID.fullmatch(tiktok_post_id):
        raise IllegalTransitionError(
            f"{tiktok_post_id[:40]!r} is no id of a TikTok post: give the digits at the end of its "
            "address"
        )
    target = PostState.PUBLISHED if tiktok_post_id else PostState.PUBLISHED_NO_LINK
    return _resolve(
        workspace,
        post_id,
        target,
        actor=actor,
        why=f"{actor} found it on TikTok",
        tiktok_post_id=tiktok_post_id,
    )


def resolve_not_published(workspace: Workspace, post_id: int, *, actor: str) -> Post:
    """Settle an UNKNOWN post that is not on its account: FAILED, from where a person may retry it.

    :raises IllegalTransitionError: it is not UNKNOWN
    """
    return _resolve(
        workspace,
        post_id,
        PostState.FAILED,
        actor=actor,
        why=f"{actor} did not find it on TikTok",
    )


def _resolve(
    workspace: Workspace,
    post_id: int,
    target: PostState,
    *,
    actor: str,
    why: str,
    tiktok_post_id: str | None = None,
) -> Post:
    now = workspace.ledger.now()
    failed = target is PostState.FAILED
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        check_command(PersonCommand.RESOLVE, post.state)
        if tiktok_post_id and publications.linked_post_ids(session, [tiktok_post_id]):
            raise IllegalTransitionError(
                f"the TikTok post {tiktok_post_id} is another post of Reelflow already: look again"
            )
        publication = publications.current(session, post_id)
        if publication is not None:
            ended = PublicationState.FAILED if failed else PublicationState.DONE
            publication.tiktok_post_id = tiktok_post_id
            publications.move(session, publication, ended, now=now, actor=actor, why=why)
        posts.move(
            session,
            post_id,
            target,
            now=now,
            actor=actor,
            why=why,
            code=NOT_PUBLISHED if failed else None,
            fix=f"`reelflow posts retry {post_id}` posts it" if failed else None,
        )
    return post
