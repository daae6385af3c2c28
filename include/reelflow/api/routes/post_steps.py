"""``/posts/{id}/...``: what a person may do to a post by hand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from reelflow.api.errors import ApiError, errors
from reelflow.api.intake import Intake
from reelflow.api.post_query import Time
from reelflow.api.post_record import PostStoryRecord, post_answer
from reelflow.api.routes.posts import PostId
from reelflow.domain.post import PAST_LAST_BYTE, Interaction, PrivacyLevel
from reelflow.domain.user import User
from reelflow.exceptions import MediaUnreadableError, TikTokRejectedError
from reelflow.services import post_pages
from reelflow.services.steering import cancelling, commands, resolving


class Release(BaseModel):
    """What is chosen for a HELD post; the rest stays as it was wished."""

    model_config = ConfigDict(extra="forbid")

    privacy_level: PrivacyLevel | None = None
    publish_at: Time | None = None
    disable: list[Interaction] = Field(
        default=[], description="What viewers may not do with it, whatever was wished before."
    )


class Retry(BaseModel):
    """When a post goes out that is tried again."""

    model_config = ConfigDict(extra="forbid")

    publish_at: Time | None = None


class Resolve(BaseModel):
    """What a person saw on the account, in TikTok's app."""

    model_config = ConfigDict(extra="forbid")

    published: StrictBool = Field(description="Whether the post is there.")
    tiktok_post_id: str | None = Field(
        None, max_length=40, description="The digits at the end of its address, if it is public."
    )


def post_step_routes(intake: Intake) -> APIRouter:
    """Return the routes; each answers with the post as it is then."""
    router = APIRouter(prefix="/posts/{post_id}", tags=["posts"])
    writer = Depends(intake.guard.writer)

    @router.post("/release", response_model=PostStoryRecord, responses=errors(404, 409))
    def release(
        request: Request,
        post_id: PostId,
        user: User = writer,
        body: Release | None = None,
    ) -> dict[str, Any]:
        """Let a HELD post go: at the given time, or as it was wished, at the earliest now."""
        chosen = body or Release()
        post_pages.check_visible(intake.workspace, user, post_id)
        commands.release(
            intake.workspace,
            post_id,
            actor=user.actor,
            privacy_level=chosen.privacy_level,
            at=chosen.publish_at,
            disable=chosen.disable,
            may_approve=user.is_admin,
        )
        return post_answer(intake, request, user, post_id)

    @router.post("/retry", response_model=PostStoryRecord, responses=errors(404, 409))
    def retry(
        request: Request, post_id: PostId, user: User = writer, body: Retry | None = None
    ) -> dict[str, Any]:
        """Try a post again that FAILED, was REJECTED, CANCELLED or MISSED."""
        post_pages.check_visible(intake.workspace, user, post_id)
        try:
            at = None if body is None else body.publish_at
            commands.retry(intake.workspace, post_id, actor=user.actor, at=at)
        except MediaUnreadableError:
            message = f"the media of post {post_id} are gone: upload them again, for another post"
            raise ApiError(409, "media_deleted", message) from None
        return post_answer(intake, request, user, post_id)

    @router.post("/resolve", response_model=PostStoryRecord, responses=errors(404, 409))
    def resolve(
        request: Request, post_id: PostId, body: Resolve, user: User = writer
    ) -> dict[str, Any]:
        """Settle an UNKNOWN post by what you see on its account, or of a draft in its inbox."""
        post_pages.check_visible(intake.workspace, user, post_id)
        _resolve(intake, user, post_id, body)
        return post_answer(intake, request, user, post_id)

    @router.post(
        "/cancel",
        response_model=PostStoryRecord,
        responses={
            202: {"description": "TikTok was asked to stop it", "model": PostStoryRecord},
            **errors(404, 409, 502),
        },
    )
    def cancel(
        request: Request, response: Response, post_id: PostId, user: User = writer
    ) -> dict[str, Any]:
        """Cancel a post; a running upload stops before its last byte.

        Of one that TikTok has already, TikTok is asked to stop it: 202 while that is open.
        """
        post_pages.check_visible(intake.workspace, user, post_id)
        if cancelling.is_past_last_byte(intake.workspace, post_id):
            response.status_code = _ask_to_cancel(intake, user, post_id)
        else:
            commands.cancel(intake.workspace, post_id, actor=user.actor)
        return post_answer(intake, request, user, post_id)

    return router


def _resolve(intake: Intake, user: User, post_id: int, seen: Resolve) -> None:
    if seen.published:
        resolving.resolve_published(
            intake.workspace, post_id, actor=user.actor, tiktok_post_id=seen.tiktok_post_id
        )
        return
    if seen.tiktok_post_id is not None:
        message = "a post that is not published has no address: leave tiktok_post_id out"
        raise ApiError(422, "invalid_request", message)
    resolving.resolve_not_published(intake.workspace, post_id, actor=user.actor)


def _ask_to_cancel(intake: Intake, user: User, post_id: int) -> int:
    """Ask TikTok to stop a post; return the status of the answer."""
    if intake.platform is None:
        message = "this Reelflow does not know the TikTok app, so it cannot ask TikTok to stop it"
        raise ApiError(503, "tiktok_app_missing", message)
    actor = user.actor
    with intake.platform.account_clients(intake.workspace, actor=actor) as tiktok:
        try:
            post = cancelling.ask_to_cancel(intake.workspace, tiktok, post_id, actor=actor)
        except TikTokRejectedError as error:
            if error.code in ("publish_not_cancellable", "account_revoked"):
                raise
            message = f"TikTok refused to be asked ({error.code}): nothing was changed"
            raise ApiError(502, "tiktok_refused", message) from None
    return 202 if post.state in PAST_LAST_BYTE else 200
