"""The time that a person wishes a post for, as ``--at`` takes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from reelflow.ledger.models import Post

EXAMPLE: Final = "2026-12-24T18:00:00+01:00"


def read_time(text: str | None) -> datetime | None:
    """Return the time that an option ``--at`` has, in UTC; None where it was not given.

    :raises typer.BadParameter: it could mean several times, or is in a year that no sidecar may
        have either
    """
    from reelflow.domain.sidecar import PUBLISH_YEARS  # here, so that `reelflow --help` is fast

    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter(
            f"{text[:40]!r} is no ISO 8601 time with a time zone, such as {EXAMPLE} or "
            "2026-12-24T17:00Z",
            param_hint="--at",
        )
    if time.year not in PUBLISH_YEARS:
        raise typer.BadParameter(
            f"{text[:40]!r} is in the year {time.year}: years from {PUBLISH_YEARS[0]} to "
            f"{PUBLISH_YEARS[-1]} are taken",
            param_hint="--at",
        )
    return time.astimezone(UTC)


def tell_if_past(post: Post, wished: datetime | None) -> None:
    """Say that a post goes out now which a person wished for a time that is past."""
    if wished is not None and wished < post.due_at:
        typer.echo(f"{wished:%Y-%m-%d %H:%M} UTC is past: the next run takes it.")
