"""Whether a video has a frame at the moment that was chosen for its cover."""

from __future__ import annotations

from typing import Final

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.violation import Violation

#: The rule that a cover breaks.
COVER: Final = "cover"


def cover_violations(facts: MediaFacts, at_ms: int | None) -> list[Violation]:
    """Return the violation of a cover that is chosen behind the picture's end.

    TikTok would take it, and show the first frame instead
    (content-posting-api-reference-direct-post).

    :param at_ms: milliseconds from the video's start; None for the frame that TikTok takes itself
    """
    end_s = facts.picture_end_s
    if at_ms is None or end_s is None or at_ms / 1000 <= end_s:
        return []
    end = f"at most {int(end_s * 1000)} ms, where the picture ends"
    fix = (
        "choose an earlier frame by `reelflow posts cover ID --at-ms MS`, then `reelflow posts "
        "retry ID`, of a held post `release ID`; or put the file into the inbox again, with an "
        'earlier "cover_timestamp_ms" in its sidecar'
    )
    return [Violation(COVER, f"{at_ms} ms", end, fix)]
