"""Making a post of a JSON object, as a program sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reelflow.domain.content_types import MediaType
from reelflow.domain.post import PostKind
from reelflow.domain.user import User
from reelflow.ledger.models import Media
from reelflow.services.intake.post_wish import PostWish, invalid_post
from reelflow.services.intake.submit import create_post, media_of_user
from reelflow.services.intake.submitted_media import kind_of
from reelflow.services.workspace import Workspace

_MEDIA_TYPES: Final = {PostKind.VIDEO: MediaType.VIDEO, PostKind.PHOTO: MediaType.IMAGE}


def submit_post(workspace: Workspace, user: User, data: Mapping[str, Any]) -> tuple[int, bool]:
    """Make a post of media that were uploaded, or before they are.

    :param data: ``media_ids``, ``kind``, and the fields of a wish
    :return: the post's id, and whether it is new: the same bytes again are the post that there is
    :raises AccountNotFoundError: no account has this name
    :raises TerminalError: as of :func:`reelflow.services.intake.submit.create_post`
    """
    media_ids = _media_ids(data)
    wished = {name: value for name, value in data.items() if name not in ("media_ids", "kind")}
    with workspace.ledger.write() as session:
        media = media_of_user(session, user, media_ids)
        kind = _kind(data.get("kind"), media)
        submitted = create_post(
            session,
            user=user,
            wish=PostWish.parse(wished, _MEDIA_TYPES[kind]),
            media=media,
            now=workspace.ledger.now(),
            actor=user.actor,
        )
        return submitted.post.id, submitted.created


def _media_ids(data: Mapping[str, Any]) -> list[str]:
    media_ids = data.get("media_ids", [])
    if not isinstance(media_ids, list) or not all(isinstance(one, str) for one in media_ids):
        raise invalid_post("media_ids must be a list of the ids of media, or be left out")
    return media_ids


def _kind(told: object, media: Sequence[Media]) -> PostKind:
    if told is None and media:
        return kind_of(media[0])
    if told not in list(PostKind):  # it may be anything that JSON has
        has = "missing" if told is None else repr(told)[:40]
        raise invalid_post(
            f"kind is {has}: use {' or '.join(PostKind)}; it is needed without media_ids"
        )
    return PostKind(str(told))
