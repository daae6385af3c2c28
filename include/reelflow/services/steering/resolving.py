"""A person's word about an UNKNOWN post: what they saw on the account, in the TikTok app."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from reelflow.domain.post import PersonCommand, PostMode, PostState, check_command
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post
from reelflow.services.settling.lost_init import after_minute, missing_for_sure_from
from reelflow.services.workspace import Workspace

#: Why a post FAILED that a person did not find on TikTok.
NOT_PUBLISHED: Final = "not_published"

_TIKTOK_POST_ID: Final = re.compile(r"[0-9]{8,20}", re.ASCII)


def resolve_published(
    workspace: Workspace, post_id: int, *, actor: str, tiktok_post_id: str | None = None
) -> Post:
    """Settle an UNKNOWN post that a person found on its account, or a draft in its inbox.

    :param tiktok_post_id: the digits in the post's address, when it has a public one
    :raises IllegalTransitionError: it is not UNKNOWN, or the id is no id or another post's
    """
    if tiktok_post_id is not None and not _TIKTOK_POST_ID.fullmatch(tiktok_post_id):
        raise IllegalTransitionError(
            f"{tiktok_post_id[:40]!r} is no id of a TikTok post: give the digits at the end of its "
            "address"
        )
    return _resolve(
        workspace,
        post_id,
        _found_as,
        actor=actor,
        why=f"{actor} found it on TikTok",
        tiktok_post_id=tiktok_post_id,
    )


def resolve_not_published(workspace: Workspace, post_id: int, *, actor: str) -> Post:
    """Settle an UNKNOWN post that is not on its account: FAILED, from where a person may retry it.

    While TikTok may still fetch a pull, not seeing it proves nothing, and a retry could be a second
    post.

    :raises IllegalTransitionError: it is not UNKNOWN, or it is too early to tell; the message says
        from when it can be told
    """
    _check_late_enough(workspace, post_id)
    return _resolve(
        workspace,
        post_id,
        lambda _post, _link: PostState.FAILED,
        actor=actor,
        why=f"{actor} did not find it on TikTok",
    )


def _found_as(post: Post, tiktok_post_id: str | None) -> PostState:
    if tiktok_post_id is not None:
        return PostState.PUBLISHED
    # A draft that was found may still wait for its creator.
    return PostState.IN_INBOX if post.mode is PostMode.DRAFT else PostState.PUBLISHED_NO_LINK


def _check_late_enough(workspace: Workspace, post_id: int) -> None:
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    check_command(PersonCommand.RESOLVE, post.state)
    sure_from = missing_for_sure_from(publication, workspace.rules)
    if sure_from is not None and workspace.ledger.now() < sure_from:
        raise IllegalTransitionError(
            f"TikTok may still fetch and publish post {post_id}: if it is not on its account "
            f"{after_minute(sure_from)}, tell then"
        )


def _resolve(
    workspace: Workspace,
    post_id: int,
    target_of: Callable[[Post, str | None], PostState],
    *,
    actor: str,
    why: str,
    tiktok_post_id: str | None = None,
) -> Post:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        check_command(PersonCommand.RESOLVE, post.state)
        if tiktok_post_id and publications.linked_post_ids(session, [tiktok_post_id]):
            raise IllegalTransitionError(
                f"the TikTok post {tiktok_post_id} is another post of Reelflow already: look again"
            )
        publication = publications.current(session, post_id)
        target = target_of(post, tiktok_post_id)
        failed = target is PostState.FAILED
        if publication is not None:
            ended = PublicationState.FAILED if failed else PublicationState.DONE
            publication.tiktok_post_id = tiktok_post_id or publication.tiktok_post_id
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
