"""A post as the API tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from reelflow.api.advice import for_callers
from reelflow.api.intake import Intake
from reelflow.api.media_record import BrokenRule
from reelflow.domain.user import User
from reelflow.services import post_pages


class _Record(BaseModel):
    """What is told in JSON; the schema shows every field as there."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class TikTokPost(_Record):
    """What TikTok calls a post: its publish task, and the public post, once it is one."""

    publish_id: str
    post_id: str | None
    url: str | None


class PostLinks(_Record):
    """Where more is known: here, and of the run in Airflow that took it last."""

    self: str
    run: str | None


class PostRecord(_Record):
    """One post; of one whose rows were damaged, what cannot be read is null."""

    post_id: int
    account: str | None
    kind: str | None
    state: str
    reason: str | None
    reason_code: str | None
    fix: str | None
    caption: str | None
    title: str | None
    privacy_level: str | None
    mode: str | None
    publish_at: str | None
    due_at: str | None
    approval: bool | None
    repost: bool | None
    disable_comment: bool | None
    disable_duet: bool | None
    disable_stitch: bool | None
    wanted_interactions: list[str] | None
    brand_content_toggle: bool | None
    brand_organic_toggle: bool | None
    is_aigc: bool | None
    cover_timestamp_ms: int | None
    cover_index: int | None
    auto_add_music: bool | None
    media_ids: list[str]
    file_name: str | None
    sha256: str | None
    user_id: str | None
    created_at: str | None
    tiktok: TikTokPost | None
    links: PostLinks


class PostPageRecord(_Record):
    """A page of posts, newest first."""

    posts: list[PostRecord]
    next_cursor: str | None


class StoryStep(_Record):
    """One step of a post: when, by whom, from which state to which, and why."""

    at: str
    actor: str
    from_state: str | None = Field(alias="from")
    to_state: str | None = Field(alias="to")
    why: str


class Attempt(_Record):
    """One publish task that was begun at TikTok for a post."""

    ordinal: int
    source: str
    state: str
    current: bool
    publish_id: str | None
    acknowledged_bytes: int
    size_bytes: int
    tiktok_status: str | None
    tiktok_status_at: str | None
    fail_reason: str | None
    post_id: str | None
    url: str | None
    created_at: str | None


class PostMetricsRecord(_Record):
    """What TikTok counted of a post since it was published, as of the last day it was asked."""

    day: str
    view_count: int | None
    like_count: int | None
    comment_count: int | None
    share_count: int | None
    collected_at: str


class PostStoryRecord(PostRecord):
    """One post, with every step it made, what was begun for it at TikTok, and its counts."""

    violations: list[BrokenRule]
    story: list[StoryStep]
    attempts: list[Attempt]
    metrics: PostMetricsRecord | None


#: Fields that are told under the name that they are stored by.
_AS_STORED: Final = tuple(
    name
    for name in PostRecord.model_fields
    if name not in {"post_id", "approval", "media_ids", "reason", "fix", "tiktok", "links"}
)
_OF_AN_ATTEMPT: Final = tuple(name for name in Attempt.model_fields if name != "url")


def post_record(intake: Intake, request: Request, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a post for a list.

    :param row: as of :func:`reelflow.services.post_pages.list_page`
    """
    post_id, publish_id, run_id = row["id"], row["publish_id"], row.get("run_id")
    return {
        **{name: row.get(name) for name in _AS_STORED},
        "post_id": post_id,
        "approval": row.get("wants_approval") and row.get("approved_at") is None,
        "media_ids": row["media_ids"] or [],
        "reason": row["reason"] and for_callers(row["reason"]),
        "fix": row["fix"] and for_callers(row["fix"]),
        "tiktok": publish_id
        and {"publish_id": publish_id, "post_id": row["post_id"], "url": row["link"]},
        "links": {
            "self": intake.link(request, f"/posts/{post_id}"),
            "run": run_id and intake.run_links(run_id),
        },
    }


def post_answer(intake: Intake, request: Request, user: User, post_id: int) -> dict[str, Any]:
    """Return a post as the answer to whatever was done with it: JSON-safe, with its story.

    :raises PostNotFoundError: there is none, or it is somebody else's
    """
    return story_record(intake, request, post_pages.show(intake.workspace, user, post_id))


def story_record(intake: Intake, request: Request, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return one post with its story.

    :param whole: as of :func:`reelflow.services.post_pages.show`
    """
    return {
        **post_record(intake, request, whole),
        "violations": [
            {**one, "fix": for_callers(one["fix"])} for one in whole["violations"] or ()
        ],
        "story": [{**step, "why": for_callers(step["why"])} for step in whole["story"]],
        "attempts": [
            {**{name: one[name] for name in _OF_AN_ATTEMPT}, "url": one["link"]}
            for one in whole["publications"]
        ],
        "metrics": whole["metrics"],
    }
