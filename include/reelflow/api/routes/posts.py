"""``/posts``: making posts, changing them, and reading what became of them."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Request, Response

from reelflow.api.errors import errors
from reelflow.api.intake import Intake
from reelflow.api.post_body import NewPostBody, PostChangesBody
from reelflow.api.post_query import PostQuery, cursor_after
from reelflow.api.post_record import (
    PostPageRecord,
    PostStoryRecord,
    post_answer,
    post_record,
)
from reelflow.domain.user import User
from reelflow.services import post_pages
from reelflow.services.intake.submission import submit_post
from reelflow.services.steering.editing import edit_post

#: Largest value of a column of type INTEGER.
_LARGEST: Final = 2**31 - 1
PostId: TypeAlias = Annotated[int, Path(ge=1, le=_LARGEST, description="Id of the post.")]


def post_routes(intake: Intake) -> APIRouter:
    """Return the routes; users have their own posts, and admins all."""
    router = APIRouter(prefix="/posts", tags=["posts"])
    _add_reading(router, intake)
    _add_writing(router, intake)
    return router


def _add_reading(router: APIRouter, intake: Intake) -> None:
    @router.get("", response_model=PostPageRecord, responses=errors(404))
    def list_posts(
        request: Request,
        query: Annotated[PostQuery, Depends()],
        user: User = Depends(intake.guard.reader),
    ) -> dict[str, Any]:
        """List posts, newest first; of all that match, page by page."""
        page = post_pages.list_page(
            intake.workspace, user, query.filter, after_id=query.after_id, limit=query.limit
        )
        return {
            "posts": [post_record(intake, request, row) for row in page.rows],
            "next_cursor": cursor_after(page.last_id),
        }

    @router.get("/{post_id}", response_model=PostStoryRecord, responses=errors(404))
    def show_post(
        request: Request, post_id: PostId, user: User = Depends(intake.guard.reader)
    ) -> dict[str, Any]:
        """Show one post: its fields, every step it made, and what was begun for it at TikTok."""
        return post_answer(intake, request, user, post_id)


def _add_writing(router: APIRouter, intake: Intake) -> None:
    @router.post(
        "",
        status_code=201,
        response_model=PostStoryRecord,
        responses={
            200: {"description": "The same bytes are this post already", "model": PostStoryRecord},
            **errors(404, 409),
        },
    )
    def make_post(
        request: Request,
        response: Response,
        body: NewPostBody,
        user: User = Depends(intake.guard.writer),
    ) -> dict[str, Any]:
        """Make a post of media that were uploaded; without any, it waits until an upload names it.

        The same bytes for the same account are the post that there is, unless `repost` is true.
        """
        post_id, is_new = submit_post(intake.workspace, user, body)
        response.status_code = 201 if is_new else 200
        return post_answer(intake, request, user, post_id)

    @router.patch("/{post_id}", response_model=PostStoryRecord, responses=errors(404, 409))
    def change_post(
        request: Request,
        post_id: PostId,
        body: PostChangesBody,
        user: User = Depends(intake.guard.writer),
    ) -> dict[str, Any]:
        """Change fields of a post before TikTok may have it; those not named stay as they are."""
        post_pages.check_visible(intake.workspace, user, post_id)
        edit_post(intake.workspace, post_id, body, actor=user.actor)
        return post_answer(intake, request, user, post_id)
