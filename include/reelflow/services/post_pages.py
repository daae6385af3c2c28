"""Posts as a user may see them: page by page, and one with its whole story."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostState
from reelflow.domain.user import User
from reelflow.ledger import accounts, audit, batches, photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services import report
from reelflow.services.intake.submitted_media import known_content
from reelflow.services.trouble_told import for_users
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class PostFilter:
    """Which posts are wanted; what is None or empty does not matter.

    :param account: the name of their account
    :param user_id: whose they are
    :param due_from: when they are due, at the earliest
    :param due_before: ... and before when
    :param sha256: of their content, as it was read or, until then, as the asking user told it
    """

    states: Collection[PostState] = ()
    account: str | None = None
    user_id: str | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class PostPage:
    """Some posts, newest first.

    :param rows: as of :mod:`reelflow.services.post_rows`, with the wishes and ``run_id``
    :param last_id: where the next page goes on; None if there is none
    """

    rows: list[dict[str, Any]]
    last_id: int | None


def list_page(
    workspace: Workspace, user: User, wanted: PostFilter, *, after_id: int | None, limit: int
) -> PostPage:
    """Return the posts of a page that the user may see.

    Pages follow each other by id, so that what comes or changes meanwhile moves nothing.

    :param after_id: the last of the page before; None for the first page
    :raises AccountNotFoundError: no account has the wanted name
    """
    with workspace.ledger.read() as session:
        query = _matching(user, wanted)
        if wanted.account is not None:
            query = query.where(Post.account_id == accounts.by_name(session, wanted.account).id)
        if wanted.sha256 is not None:
            query = query.where(Post.id.in_(_with_content(session, user, query, wanted.sha256)))
        if after_id is not None:
            query = query.where(Post.id < after_id)
        ids = session.scalars(query.order_by(Post.id.desc()).limit(limit + 1)).all()
        shown = ids[:limit]
        rows = report.rows_with_wishes(session, shown)
        troubles = audit.troubles(session, shown)
        runs = batches.latest_runs(session, shown)
    told = [{**row, "reason": _told(row, troubles), "run_id": runs.get(row["id"])} for row in rows]
    return PostPage(told, shown[-1] if len(ids) > limit else None)


def show(workspace: Workspace, user: User, post_id: int) -> dict[str, Any]:
    """Return one post with all that is known of it, and which run took it last.

    :raises PostNotFoundError: there is none, or it is somebody else's
    """
    check_visible(workspace, user, post_id)
    whole = report.show_post(workspace, post_id)
    with workspace.ledger.read() as session:
        run_id = batches.latest_runs(session, [post_id]).get(post_id)
        troubles = audit.troubles(session, [post_id])
    story = [
        {**step, "why": for_users(step["why"], troubles.get(post_id, ()))}
        for step in whole["story"]
    ]
    return {**whole, "reason": _told(whole, troubles), "story": story, "run_id": run_id}


def _told(row: Mapping[str, Any], troubles: Mapping[int, Collection[str]]) -> str | None:
    """Return why a post is as it is, as its user may read it."""
    reason: str | None = row["reason"]
    return reason and for_users(reason, troubles.get(row["id"], ()))


def check_visible(workspace: Workspace, user: User, post_id: int) -> None:
    """Raise unless a user may see, and steer, a post; whose it is never changes.

    :raises PostNotFoundError: there is none, or it is somebody else's: nobody learns which
    """
    with workspace.ledger.read() as session:
        owner = session.execute(select(Post.user_id).where(Post.id == post_id)).first()
    if owner is None or not user.owns(owner.user_id):
        raise posts.not_found(post_id)


def _matching(user: User, wanted: PostFilter) -> Select[int]:
    query = select(Post.id)
    if not user.is_admin:
        query = query.where(Post.user_id == user.id)
    if wanted.user_id is not None:
        query = query.where(Post.user_id == wanted.user_id)
    if wanted.states:
        query = query.where(Post.state.in_(wanted.states))
    if wanted.due_from is not None:
        query = query.where(Post.due_at >= wanted.due_from)
    if wanted.due_before is not None:
        query = query.where(Post.due_at < wanted.due_before)
    return query


def _with_content(session: Session, user: User, query: Select[int], sha256: str) -> list[int]:
    """Return which of the posts have this content.

    What nobody has read yet is as the user told; what others only told of theirs is not believed.
    """
    posts_of = query.with_only_columns(Post).join(Media, Media.id == Post.media_id)
    told = func.coalesce(Media.sha256, Media.declared_sha256)
    unread = Post.sha256.is_(None)
    found = session.scalars(
        posts_of.where(
            or_(
                Post.sha256 == sha256,
                and_(unread, Post.kind == PostKind.VIDEO, told == sha256),
                and_(unread, Post.kind == PostKind.PHOTO, told.is_not(None)),
            )
        )
    ).all()
    images = photo_images.of_posts(session, [post for post in found if post.sha256 is None])

    def content_of(post: Post) -> str | None:
        files = images.get(post.id) or [post.media]
        is_own = post.user_id == user.id
        return post.sha256 or known_content(post.kind, files, is_sender_believed=is_own)

    return [post.id for post in found if content_of(post) == sha256]
