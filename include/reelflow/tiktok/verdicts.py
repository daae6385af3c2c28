"""What a word of TikTok's, an error code or a fail reason, asks of us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What can be done about a refused call or a failed publish task."""

    RETRY = "retry"
    """TikTok's own fault: the same call, or a new init, may work soon."""

    LATER = "later"
    """A cap or rate was reached: it works when its window has passed."""

    FIX = "fix"
    """A person can put it right; until then the answer stays the same."""

    AUTH = "auth"
    """The account must be connected again."""

    NEVER = "never"
    """Nothing of ours changes the answer, or TikTok's word is not one that we know."""


@dataclass(frozen=True)
class Meaning:
    """The meaning of one word.

    :param verdict: what can be done about it
    :param fix: sentence for the person: what is wrong and what to do
    :param needs_new_post: whether the post itself, its file or its text, must change; if not, the
        post can wait for the person and then go on as it is
    :param retry_after_s: wait before the next try, for what passes by itself
    """

    verdict: Verdict
    fix: str
    needs_new_post: bool = False
    retry_after_s: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the post should wait for a person, with nothing wrong with the post itself."""
        return self.verdict in (Verdict.FIX, Verdict.AUTH) and not self.needs_new_post
