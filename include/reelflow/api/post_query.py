"""What a list of posts is asked for: filters, and where a page goes on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime

from reelflow.domain.post import PostState
from reelflow.domain.sidecar import PUBLISH_YEARS
from reelflow.domain.user import check_user_id
from reelflow.exceptions import ConfigurationError
from reelflow.services.post_pages import PostFilter

PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 200


def _usable(at: datetime) -> datetime:
    """Return a time that every database takes, in UTC, too."""
    if at.year not in PUBLISH_YEARS:
        raise ValueError(f"use a year from {PUBLISH_YEARS[0]} to {PUBLISH_YEARS[-1]}")
    return at


def _user_id(text: str) -> str:
    try:
        return check_user_id(text)
    except ConfigurationError as exc:
        raise ValueError(str(exc)) from None


#: A time as callers may give one.
Time: TypeAlias = Annotated[AwareDatetime, AfterValidator(_usable)]


class PostQuery:
    """The query of a list of posts; a dependency of its route."""

    def __init__(
        self,
        state: Annotated[list[PostState], Query(description="Only posts in these states.")] = [],  # noqa: B006
        account: Annotated[
            str | None, Query(max_length=64, description="Only posts of the account of this name.")
        ] = None,
        user: Annotated[
            str | None,
            AfterValidator(_user_id),
            Query(description="Only posts of this user; others than admins see their own alone."),
        ] = None,
        due_from: Annotated[
            Time | None, Query(alias="from", description="Only what is due then or later.")
        ] = None,
        due_before: Annotated[
            Time | None, Query(alias="to", description="Only what is due before then.")
        ] = None,
        sha256: Annotated[
            str | None,
            Query(
                pattern="^[0-9a-f]{64}$",
                description="Only posts of this content: of a video its SHA-256; of photos that of "
                "the lines `photos` and the SHA-256 of each image, joined by line feeds.",
            ),
        ] = None,
        cursor: Annotated[
            str | None,
            Query(pattern=r"^p[1-9][0-9]{0,9}$", description="`next_cursor` of the page before."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT,
    ) -> None:
        self.filter = PostFilter(state, account, user, due_from, due_before, sha256)
        self.after_id = None if cursor is None else int(cursor[1:])
        self.limit = limit


def cursor_after(post_id: int | None) -> str | None:
    """Return the cursor of the page behind a post; None where there is none."""
    return None if post_id is None else f"p{post_id}"
