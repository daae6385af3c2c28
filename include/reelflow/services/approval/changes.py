"""Whether a post is still as a person was shown it: what it wishes, and what analyses found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.ledger import photo_images
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Post, Verdict
from reelflow.services.intake.verdict_policy import sentence
from reelflow.services.post_rows import wishes_of

#: Of a post's wishes, those that an answer changes itself.
_NOT_SHOWN: Final = frozenset({"wants_approval", "approved_at"})


def fingerprint(session: Session, post: Post) -> str:
    """Return what tells a post as it was shown from one that was changed since."""
    media_ids = [media.id for media in photo_images.media_of(session, post)]
    wishes = {name: value for name, value in wishes_of(post).items() if name not in _NOT_SHOWN}
    told = json.dumps([media_ids, wishes], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def findings(seen: Sequence[Verdict]) -> list[list[Any]]:
    """Return what tells verdicts as they were shown from those that came since.

    An analysis that goes on has found nothing yet: what it finds later is news.
    """
    return [[one.id, one.verdict_id, sentence(one)] for one in seen if one.found_at is not None]


def find_change(
    session: Session, post: Post, question: ApprovalQuestion, seen: Sequence[Verdict]
) -> str | None:
    """Return what is other than a question showed it, as a part of a sentence; None if nothing is.

    :param seen: the verdicts on the post's files, as they are now
    """
    if fingerprint(session, post) != question.shown:
        return "the post was changed after it was shown: look at it as it is now"
    shown = (question.choices or {}).get("findings", [])
    found = findings(seen)
    if found == shown:
        return None
    news = "; ".join(told for *ids, told in found if [*ids, told] not in shown)
    what = f"an analysis ended after it was shown ({news})" if news else "an analysis is begun anew"
    return f"{what}: look at it as it is now"
