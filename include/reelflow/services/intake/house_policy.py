"""What a video must keep to be taken in, by the way it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reelflow.domain.media_policy import MediaPolicy
from reelflow.ledger.models import Media

#: A form sends a file in one go, which nothing resumes.
FORM_MAX_BYTES: Final = 2_000_000_000

#: What the origin of a file begins with that came by a form.
FORM_ORIGIN: Final = "form:"


def policy_of(media: Media, house: MediaPolicy) -> MediaPolicy:
    """Return the rules of the house for a file that is here."""
    return form_policy(house) if came_by_form(media) else house


def came_by_form(media: Media) -> bool:
    """Whether a file was put straight into the bucket, wherever it lies by now."""
    return media.inbox_path.startswith(FORM_ORIGIN)


def form_policy(house: MediaPolicy) -> MediaPolicy:
    """Return the rules of the house for files that come by a form: its size was signed before."""
    return replace(house, max_size_bytes=max(house.max_size_bytes, FORM_MAX_BYTES))
