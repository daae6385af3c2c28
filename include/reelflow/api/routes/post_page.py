"""``GET /posts/{id}/page``: the story of a post for a browser, such as Airflow's pages link to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from reelflow.api.intake import Intake
from reelflow.api.routes.posts import PostId
from reelflow.api.story_page import story_page
from reelflow.domain.user import User
from reelflow.services import post_pages

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'"
)


def post_page_routes(intake: Intake) -> APIRouter:
    """Return the route; users see their own posts, and admins all."""
    router = APIRouter(prefix="/posts")

    @router.get("/{post_id}/page", include_in_schema=False)
    def show_page(
        request: Request, post_id: PostId, user: User = Depends(intake.guard.reader)
    ) -> HTMLResponse:
        post = post_pages.show(intake.workspace, user, post_id)
        run_id = post["run_id"]
        content = story_page(
            post,
            picture=_picture(intake, request, post),
            run=run_id and intake.run_links(run_id),
        )
        return HTMLResponse(content, headers={"Content-Security-Policy": _POLICY})

    return router


def _picture(intake: Intake, request: Request, post: Mapping[str, Any]) -> str | None:
    """Return the address of a post's cover, once it is made."""
    if post["thumbnail_path"] is None or not post["media_ids"]:
        return None
    index = min(post["cover_index"] or 0, len(post["media_ids"]) - 1)
    return intake.link(request, f"/media/{post['media_ids'][index]}/thumbnail")
